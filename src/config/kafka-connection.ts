import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { ConfigurationError } from './errors.ts';
import type { Configuration } from './schema.ts';
import { createTokenSource } from './oauth-token.ts';

type KafkaSettings = Configuration['broker']['kafka'];

/** How to reach one's own Kafka, as the adapter takes it. */
export interface KafkaConnectionSettings {
  readonly tls?: KafkaTls;
  readonly sasl?: KafkaLogin;
  /** What is allowed but unwise, for the log. */
  readonly warnings: readonly string[];
}

export interface KafkaTls {
  readonly rejectUnauthorized: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

export type KafkaLogin =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: string;
      readonly password: string;
    }
  | {
      readonly mechanism: 'oauthbearer';
      readonly oauthBearerProvider: () => Promise<{ readonly value: string }>;
    };

/**
 * TLS and SASL of `broker.kafka`: reads the files that it names.
 *
 * @param now monotonic milliseconds
 * @throws ConfigurationError a file cannot be read, or is not what its key asks for.
 */
export function kafkaConnection({ sasl, tls }: KafkaSettings, now: () => number): KafkaConnectionSettings {
  const warnings: string[] = [];
  if (sasl.mechanism !== 'none' && !tls.enabled) {
    warnings.push(
      `broker.kafka.sasl.mechanism is ${sasl.mechanism} without TLS: whoever sees the network can ` +
        `${sasl.mechanism.startsWith('scram') ? 'read the rows' : 'read the credentials'}; set broker.kafka.tls.enabled`,
    );
  }
  if (!tls.rejectUnauthorized) {
    warnings.push('broker.kafka.tls.rejectUnauthorized is false: any certificate is taken for the broker');
  }
  const login = saslOf(sasl, now);
  return {
    ...(tls.enabled ? { tls: tlsOf(tls) } : {}),
    ...(login === undefined ? {} : { sasl: login }),
    warnings,
  };
}

function tlsOf(tls: KafkaSettings['tls']): KafkaTls {
  const { rejectUnauthorized, servername } = tls;
  const ca = pem(tls, 'ca', 'CERTIFICATE');
  const cert = pem(tls, 'cert', 'CERTIFICATE');
  const key = pem(tls, 'key', 'PRIVATE KEY');
  const files = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
  try {
    createSecureContext(files);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigurationError([
      `broker.kafka.tls: expected a certificate and the key that belongs to it, not encrypted (${reason})`,
    ]);
  }
  return { rejectUnauthorized, ...(servername === null ? {} : { servername }), ...files };
}

function pem(
  tls: KafkaSettings['tls'],
  name: 'ca' | 'cert' | 'key',
  holds: 'CERTIFICATE' | 'PRIVATE KEY',
): string | undefined {
  const file = tls[name];
  if (file === null) {
    return undefined;
  }
  const key = `broker.kafka.tls.${name}: "${file}"`;
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigurationError([`${key}: expected a readable file (${reason})`]);
  }
  // Node takes a file of authorities without any for an empty list, and trusts nobody.
  if (!new RegExp(`-----BEGIN [A-Z ]*${holds}-----`).test(content)) {
    throw new ConfigurationError([
      `${key}: expected a PEM file, with -----BEGIN ${holds}----- in it (openssl converts other forms)`,
    ]);
  }
  return content;
}

function saslOf(sasl: KafkaSettings['sasl'], now: () => number): KafkaLogin | undefined {
  const { clientId, clientSecret, mechanism, password, scope, tokenEndpoint, username } = sasl;
  switch (mechanism) {
    case 'none':
      return undefined;
    case 'plain':
    case 'scram-sha-256':
    case 'scram-sha-512':
      return {
        mechanism,
        username: needed('username', username),
        password: needed('password', password),
      };
    case 'oauthbearer':
      return {
        mechanism,
        oauthBearerProvider: createTokenSource({
          endpoint: needed('tokenEndpoint', tokenEndpoint),
          clientId: needed('clientId', clientId),
          clientSecret: needed('clientSecret', clientSecret),
          scope: scope ?? undefined,
          now,
        }),
      };
  }
}

/** The schema has checked it; said again for who builds settings by hand. */
function needed(name: string, value: string | null): string {
  if (value === null) {
    throw new ConfigurationError([`broker.kafka.sasl.${name}: missing, expected a value`]);
  }
  return value;
}
