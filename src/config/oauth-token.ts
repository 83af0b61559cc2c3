/** Tokens for SASL OAUTHBEARER, by OAuth 2.0 client credentials (RFC 6749, section 4.4). */

export interface TokenSourceOptions {
  readonly endpoint: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope?: string | undefined;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** No token now; a later try may bring one. */
class TokenUnavailableError extends Error {
  override readonly name = 'TokenUnavailableError';
}

/** The token endpoint does not know us, or not in this way: trying again is of no use. */
class TokenRefusedError extends Error {
  override readonly name = 'TokenRefusedError';
}

const TIMEOUT_MS = 10_000;
/** A token is replaced when a tenth of its life is left. */
const USABLE_SHARE = 0.9;

interface Token {
  readonly value: string;
  /** Undefined where the endpoint does not say how long it is good: then it is used once. */
  readonly lifeMs: number | undefined;
}

/** Gives a token that is still good, fetched once for all who ask at the same time. */
export function createTokenSource(options: TokenSourceOptions): () => Promise<{ readonly value: string }> {
  const { now } = options;
  let kept: { readonly value: string; readonly until: number } | undefined;
  let fetching: Promise<{ readonly value: string }> | undefined;
  const renew = async (): Promise<{ readonly value: string }> => {
    const asked = now();
    const { lifeMs, value } = await fetchToken(options);
    kept = lifeMs === undefined ? undefined : { value, until: asked + lifeMs * USABLE_SHARE };
    return { value };
  };
  return async () => {
    if (kept !== undefined && now() < kept.until) {
      return { value: kept.value };
    }
    fetching ??= renew().finally(() => {
      fetching = undefined;
    });
    return await fetching;
  };
}

async function fetchToken({ clientId, clientSecret, endpoint, scope }: TokenSourceOptions): Promise<Token> {
  const credentials = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`;
  const what = `the token endpoint ${withoutQuery(endpoint)}`;
  let status: number;
  let text: string;
  try {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
        accept: 'application/json',
      },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        ...(scope === undefined ? {} : { scope }),
      }),
      // The secret is meant for this address and no other.
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    status = response.status;
    text = await response.text();
  } catch (error) {
    throw new TokenUnavailableError(`${what} does not answer: ${reasonOf(error)}`, { cause: error });
  }
  const answer = parsed(text);
  if (status >= 500 || status === 429 || status === 408) {
    throw new TokenUnavailableError(`${what} answers ${String(status)}`);
  }
  const value = answer['access_token'];
  if (status !== 200 || typeof value !== 'string' || value === '') {
    const said = [answer['error'], answer['error_description']].filter((one) => typeof one === 'string');
    throw new TokenRefusedError(
      `${what} gives no token: it answers ${[String(status), ...said].join(', ')}; check ` +
        'broker.kafka.sasl.tokenEndpoint, clientId, clientSecret and scope',
    );
  }
  const seconds = Number(answer['expires_in']);
  return { value, lifeMs: seconds > 0 && Number.isFinite(seconds) ? seconds * 1000 : undefined };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function withoutQuery(endpoint: string): string {
  const { origin, pathname } = new URL(endpoint);
  return `${origin}${pathname}`;
}

/** fetch says "fetch failed"; why stands in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message;
}
