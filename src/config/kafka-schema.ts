import { z } from 'zod';
import {
  brokerList,
  countOrAuto,
  duration,
  fileOrNone,
  flag,
  oneOf,
  secretOrNone,
  sizeOrOff,
  text,
  textOrNone,
  webAddressOrNone,
} from './fields.ts';

/** The settings of one's own Kafka: `broker.kafka`. */
export const kafkaSchema = z.strictObject({
  brokers: brokerList(),
  clientId: text('a name of letters, digits, dots, hyphens and underscores', /^[A-Za-z0-9._-]{1,100}$/),
  replication: countOrAuto({ min: 1, max: 100 }),
  retention: z.strictObject({
    /** Null: no limit. */
    bytes: sizeOrOff({ min: 0 }),
    /** Milliseconds. */
    age: duration({ min: 1000, max: 3650 * 86_400_000 }),
  }),
  compression: oneOf('none', 'gzip', 'lz4', 'zstd'),
  sessionTimeout: duration({ min: 1000, max: 300_000 }),
  transactionTimeout: duration({ min: 1000, max: 900_000 }),
  tls: z.strictObject({
    enabled: flag(),
    ca: fileOrNone(),
    cert: fileOrNone(),
    key: fileOrNone(),
    rejectUnauthorized: flag(),
    servername: textOrNone(),
  }),
  sasl: z.strictObject({
    mechanism: oneOf('none', 'plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'),
    username: textOrNone(),
    password: secretOrNone(),
    tokenEndpoint: webAddressOrNone(),
    clientId: textOrNone(),
    clientSecret: secretOrNone(),
    scope: textOrNone(),
  }),
});

export type KafkaSettings = z.output<typeof kafkaSchema>;
type ReadonlySettings = {
  readonly [K in keyof KafkaSettings]: KafkaSettings[K] extends readonly string[]
    ? KafkaSettings[K]
    : Readonly<KafkaSettings[K]>;
};

/** What must hold between the keys of `broker.kafka`: the key to name and what it should have been. */
export function* kafkaChecks(kafka: ReadonlySettings): Generator<readonly [string, string]> {
  if (kafka.brokers.length === 0) {
    yield [
      'broker.kafka.brokers',
      'expected at least one, such as localhost:9092, because broker.kind is kafka',
    ];
  }
  yield* tlsChecks(kafka.tls);
  yield* saslChecks(kafka.sasl);
}

function* tlsChecks(tls: ReadonlySettings['tls']): Generator<readonly [string, string]> {
  for (const name of ['ca', 'cert', 'key', 'servername'] as const) {
    // Else somebody who set a certificate would talk in clear without knowing.
    if (!tls.enabled && tls[name] !== null) {
      yield [`broker.kafka.tls.${name}`, 'expected nothing, because broker.kafka.tls.enabled is false'];
    }
  }
  if (!tls.rejectUnauthorized && !tls.enabled) {
    yield ['broker.kafka.tls.rejectUnauthorized', 'expected true, because broker.kafka.tls.enabled is false'];
  }
  if ((tls.cert === null) !== (tls.key === null)) {
    const [missing, given] = tls.cert === null ? ['cert', 'key'] : ['key', 'cert'];
    yield [
      `broker.kafka.tls.${missing}`,
      `expected the path of a file, because broker.kafka.tls.${given} is set`,
    ];
  }
}

const CREDENTIALS = ['username', 'password', 'tokenEndpoint', 'clientId', 'clientSecret', 'scope'] as const;
type Credential = (typeof CREDENTIALS)[number];

function* saslChecks(sasl: ReadonlySettings['sasl']): Generator<readonly [string, string]> {
  const { mechanism } = sasl;
  const needed: readonly Credential[] =
    mechanism === 'none'
      ? []
      : mechanism === 'oauthbearer'
        ? ['tokenEndpoint', 'clientId', 'clientSecret']
        : ['username', 'password'];
  const because = `because broker.kafka.sasl.mechanism is ${mechanism}`;
  for (const name of CREDENTIALS) {
    if (needed.includes(name) && sasl[name] === null) {
      yield [`broker.kafka.sasl.${name}`, `expected a value, ${because}`];
    }
    if (mechanism === 'none' && sasl[name] !== null) {
      yield [`broker.kafka.sasl.${name}`, `expected nothing, ${because}`];
    }
  }
}
