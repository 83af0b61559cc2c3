import http from 'node:http';
import https from 'node:https';

/** What came back. */
export interface Posted {
  readonly status: number;
  readonly text: string;
}

/**
 * Sends JSON and waits as long as `signal` allows: fetch would give up after five minutes, and a drain may take
 * longer.
 * @throws Error of the system, or the reason of `signal`
 */
export async function postJson(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
): Promise<Posted> {
  const { request } = url.startsWith('https:') ? https : http;
  return await new Promise((resolve, reject) => {
    const asked = request(
      url,
      {
        method: 'POST',
        headers: {
          ...headers,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        },
        signal,
        agent: false,
      },
      (response) => {
        let text = '';
        response
          .setEncoding('utf8')
          .on('data', (piece: string) => {
            text += piece;
          })
          .on('error', reject)
          .on('end', () => {
            resolve({ status: response.statusCode ?? 0, text });
          });
      },
    );
    asked.on('error', (error) => {
      reject(signal.aborted ? (signal.reason as Error) : error);
    });
    asked.end(body);
  });
}
