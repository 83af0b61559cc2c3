/** What an error of kafkajs says: that the broker answered so, or that nobody answered. */

/** Error codes that kafkajs has no names for. */
const NEWER_CODES: ReadonlyMap<number, string> = new Map([
  [89, 'THROTTLING_QUOTA_EXCEEDED'],
  [90, 'PRODUCER_FENCED'],
  [91, 'RESOURCE_NOT_FOUND'],
  [92, 'DUPLICATE_RESOURCE'],
  [100, 'UNKNOWN_TOPIC_ID'],
  [103, 'INCONSISTENT_TOPIC_ID'],
  [105, 'TRANSACTIONAL_ID_NOT_FOUND'],
  [107, 'INELIGIBLE_REPLICA'],
  [110, 'FENCED_MEMBER_EPOCH'],
  [120, 'TRANSACTION_ABORTABLE'],
]);

const UNKNOWN_CODE = /^Unknown error code (\d+)$/;

/** The name of a code that kafkajs does not know. */
export function nameOfCode(code: number): string | undefined {
  return NEWER_CODES.get(code);
}

/** Name of a broker's answer, as in Kafka's protocol guide, or undefined where no broker answered. */
export function errorType(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('type' in at && typeof at.type === 'string') {
      const code = UNKNOWN_CODE.exec(at.message)?.[1];
      return code === undefined ? at.type : (nameOfCode(Number(code)) ?? `ERROR_CODE_${code}`);
    }
  }
  return undefined;
}

/** Names of kafkajs' errors that say: no answer came. Whether the request took effect is not known. */
const NO_ANSWER: ReadonlySet<string> = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSBrokerNotFound',
  'KafkaJSLockTimeout',
  // No token for SASL OAUTHBEARER now (src/config/oauth-token.ts).
  'TokenUnavailableError',
]);

/** Codes of Node's TLS that say: this certificate will not do, however often it is shown. */
const CERTIFICATE: ReadonlySet<string> = new Set([
  'CERT_CHAIN_TOO_LONG',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** What is wrong with the certificate that a broker shows, or with ours in its eyes; undefined: nothing. */
export function certificateProblem(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = 'code' in at && typeof at.code === 'string' ? at.code : '';
    if (CERTIFICATE.has(code) || /^ERR_SSL_\w*(CERTIFICATE|UNKNOWN_CA)/.test(code)) {
      return `${at.message.replace(/^Connection error: /, '')} (${code})`;
    }
  }
  return undefined;
}

/** Whether the broker could not be reached, or did not answer in time. */
export function isNoAnswer(error: unknown): boolean {
  if (certificateProblem(error) !== undefined) {
    return false;
  }
  for (let at = error; at instanceof Error; at = at.cause) {
    if (NO_ANSWER.has(at.name)) {
      return true;
    }
  }
  return false;
}

/** `host:port` of the broker that did not answer, where the error says it. */
export function silentBroker(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (NO_ANSWER.has(at.name) && 'broker' in at && typeof at.broker === 'string') {
      return at.broker;
    }
  }
  return undefined;
}

/** Whether credentials or TLS were refused while connecting. */
export function isAuthenticationFailure(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at.name === 'KafkaJSSASLAuthenticationError' || at.name === 'TokenRefusedError') {
      return true;
    }
  }
  const type = errorType(error) ?? '';
  return type === 'SASL_AUTHENTICATION_FAILED' || type === 'UNSUPPORTED_SASL_MECHANISM';
}
