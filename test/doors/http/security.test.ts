import type net from 'node:net';
import { expect } from 'chai';
import type { Outcome } from '../../../src/admin/outcome.ts';
import { within } from '../../support/within.ts';
import { ANSWERS_MS, ask, closed, connect, json, openDoor, sendRaw, type TestDoor, TOKEN } from './door.ts';

const HOST = 'Host: 127.0.0.1';

/** Status line and code of each answer that came. */
function answersIn(text: string): readonly (readonly [status: number, code: string | undefined])[] {
  return text
    .split(/(?=HTTP\/1\.1 )/)
    .filter(Boolean)
    .map((one) => [Number(one.slice(9, 12)), /"code":"([a-z-]+)"/.exec(one)?.[1]]);
}

describe('the HTTP door', () => {
  let door: TestDoor;
  const isAnswered = (): Promise<boolean> =>
    ask(door, '/livez').then(
      ({ status }) => status === 200,
      () => false,
    );

  afterEach(async () => {
    await door.close();
  });

  describe('with a token', () => {
    beforeEach(async () => {
      door = await openDoor({ admin: { token: TOKEN } });
    });

    const wrong: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
      ['none', {}],
      ['another', { authorization: 'Bearer 0123456789abcdef0124' }],
      ['its beginning', { authorization: `Bearer ${TOKEN.slice(0, -1)}` }],
      ['more than it', { authorization: `Bearer ${TOKEN}0` }],
      ['an empty one', { authorization: 'Bearer ' }],
      ['another scheme', { authorization: `Basic ${TOKEN}` }],
      ['it in another header', { 'x-token': TOKEN }],
    ];
    for (const [what, headers] of wrong) {
      it(`refuses ${what}`, async () => {
        for (const path of ['/api/v1/status', '/api/v1/events', '/api/v1/nowhere', '/metrics']) {
          const answer = await ask(door, path, { headers });
          expect(answer.status, path).to.equal(401);
          expect(answer.headers.get('www-authenticate')).to.equal('Bearer realm="geoflock"');
          expect(answer.body).to.have.nested.property('error.code', 'unauthenticated');
        }
        expect(door.requests).to.deep.equal([]);
      });
    }

    it('refuses two, of which one is right', async () => {
      const right = `Authorization: Bearer ${TOKEN}`;
      const head = ['GET /api/v1/status HTTP/1.1', HOST, 'Connection: close'];
      const both = [...head, right, 'Authorization: Bearer x', '', ''].join('\r\n');
      expect(answersIn(await sendRaw(door.port, both))).to.deep.equal([[401, 'unauthenticated']]);
      expect(answersIn(await sendRaw(door.port, [...head, right, '', ''].join('\r\n')))).to.deep.equal([
        [200, undefined],
      ]);
    });

    it('refuses it in the query', async () => {
      expect((await ask(door, `/api/v1/status?token=${TOKEN}`)).status).to.equal(401);
    });

    it('reads no body before', async () => {
      const head = ['POST /api/v1/restart HTTP/1.1', HOST, 'Content-Type: application/json'];
      const socket = await connect(door.port);
      let received = '';
      const answered = new Promise<void>((resolve) => {
        socket.on('data', (bytes) => {
          received += String(bytes);
          resolve();
        });
      });
      // Of the body nothing comes.
      socket.write([...head, 'Content-Length: 1000', '', ''].join('\r\n'));
      await within(ANSWERS_MS, 'the answer', answered);
      socket.destroy();
      expect(answersIn(received)).to.deep.equal([[401, 'unauthenticated']]);
    });

    it('writes no token to its log', async () => {
      await ask(door, '/api/v1/status', { headers: { authorization: 'Bearer some-other-token-00' } });
      expect(JSON.stringify(door.told))
        .to.include('/api/v1/status')
        .and.not.to.match(/some-other|Bearer/);
    });
  });

  describe('by its Host and Origin', () => {
    beforeEach(async () => {
      door = await openDoor({
        admin: { hosts: 'geoflock.example.com', origins: 'https://dashboard.example.com' },
      });
    });

    const hosts: readonly (readonly [string, number])[] = [
      ['127.0.0.1', 200],
      ['127.0.0.1:8470', 200],
      ['localhost:1', 200],
      ['LOCALHOST', 200],
      ['[::1]:8470', 200],
      ['geoflock.example.com', 200],
      ['evil.example', 403],
      ['geoflock.example.com.evil.example', 403],
      ['127.0.0.1.evil.example', 403],
      ['evil.example:8470', 403],
      ['192.168.1.2', 403],
      ['127.0.0.1@evil.example', 403],
      ['', 403],
      ['localhost/', 403],
    ];
    for (const [host, status] of hosts) {
      it(`answers ${JSON.stringify(host)} with ${String(status)}`, async () => {
        for (const path of ['/api/v1/status', '/livez']) {
          const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
          const [first] = answersIn(await sendRaw(door.port, request));
          expect(first?.[0], path).to.equal(status);
        }
        expect(door.requests.length).to.equal(status === 200 ? 1 : 0);
      });
    }

    it('refuses pages from elsewhere, also where they only send', async () => {
      const origins = ['http://evil.example', 'null', 'https://dashboard.example.com.evil.example', ''];
      for (const origin of [...origins, 'http://localhost:3000', 'http://dashboard.example.com']) {
        const request = { method: 'POST', headers: { origin } };
        const { body, status } = await ask(door, '/api/v1/shutdown', request);
        expect(status, origin).to.equal(403);
        expect(body).to.have.nested.property('error.code', 'forbidden');
      }
      expect(door.requests).to.deep.equal([]);
    });

    it('answers no page that asks whether it may', async () => {
      const headers = { origin: 'http://evil.example', 'access-control-request-method': 'POST' };
      const answer = await ask(door, '/api/v1/shutdown', { method: 'OPTIONS', headers });
      expect(answer.status).to.equal(403);
      expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).to.deep.equal(
        [],
      );
    });

    it('serves its own pages, and those of admin.origins', async () => {
      const own = await ask(door, '/api/v1/status', { headers: { origin: door.url } });
      expect([own.status, own.headers.get('access-control-allow-origin')]).to.deep.equal([200, null]);
      const origin = 'https://dashboard.example.com';
      const other = await ask(door, '/api/v1/status', { headers: { origin } });
      expect([other.status, other.headers.get('access-control-allow-origin')]).to.deep.equal([200, origin]);
      const asked = await ask(door, '/api/v1/settings/k', { method: 'OPTIONS', headers: { origin } });
      expect([asked.status, asked.headers.get('access-control-allow-methods')]).to.deep.equal([
        204,
        'DELETE, PUT',
      ]);
      expect(asked.headers.get('access-control-allow-headers')).to.include('authorization');
    });
  });

  describe('on all addresses', () => {
    it('may be asked by any address, and by no name that it was not told', async () => {
      door = await openDoor({ admin: { address: '0.0.0.0', token: TOKEN } });
      const statusFor = async (host: string): Promise<number | undefined> => {
        const request = `GET /livez HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
        return answersIn(await sendRaw(door.port, request))[0]?.[0];
      };
      expect(await statusFor('10.1.2.3:8470')).to.equal(200);
      expect(await statusFor('[fd00::7]')).to.equal(200);
      expect(await statusFor('evil.example')).to.equal(403);
    });
  });

  describe('to what is no good request', () => {
    beforeEach(async () => {
      door = await openDoor({ limits: { bodyBytes: 1_000, predictBodyBytes: 4_000, headerBytes: 4_096 } });
    });

    const post = (path: string, body: string, more: readonly string[] = []): string =>
      [
        `POST ${path} HTTP/1.1`,
        HOST,
        'Connection: close',
        'Content-Type: application/json',
        `Content-Length: ${String(Buffer.byteLength(body))}`,
        ...more,
        '',
        body,
      ].join('\r\n');
    const get = (target: string, ...headers: readonly string[]): string =>
      [`GET ${target} HTTP/1.1`, ...headers, 'Connection: close', '', ''].join('\r\n');
    const raw: readonly (readonly [string, string, number, string])[] = [
      ['no Host', get('/livez'), 400, 'bad-request'],
      ['HTTP/1.0 without a Host', 'GET /livez HTTP/1.0\r\n\r\n', 400, 'bad-request'],
      ['two Hosts', get('/livez', HOST, HOST), 400, 'bad-request'],
      ['two Hosts, one foreign', get('/livez', HOST, 'Host: evil.example'), 400, 'bad-request'],
      ['a target with a host', get('http://evil.example/api/v1/status', HOST), 400, 'bad-request'],
      ['a target with its own host', get('http://127.0.0.1/livez', HOST), 400, 'bad-request'],
      ['a target that is no path', get('*', HOST), 400, 'bad-request'],
      ['CONNECT', `CONNECT evil.example:443 HTTP/1.1\r\n${HOST}\r\n\r\n`, 0, ''],
      ['what is not HTTP', 'HELLO\r\n\r\n', 400, 'bad-request'],
      ['TLS', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003', 400, 'bad-request'],
      ['a NUL in the target', get('/livez\0', HOST), 400, 'bad-request'],
      ['a NUL in a header', get('/livez', HOST, 'X-A: a\0b'), 400, 'bad-request'],
      ['a broken escape', get('/api/v1/files/%E0%A4%A', HOST), 400, 'bad-request'],
      ['a path upwards', get('/api/v1/../../etc/passwd', HOST), 404, 'not-found'],
      ['a path upwards, escaped', get('/api/v1/..%2f..%2fetc%2fpasswd', HOST), 404, 'not-found'],
      ['a path upwards as a name', get('/api/v1/files/..%2f..%2fetc', HOST), 400, 'invalid'],
      ['a path upwards with dots escaped', get('/api/v1/files/%2e%2e%2fetc', HOST), 400, 'invalid'],
      ['another case', get('/API/V1/STATUS', HOST), 404, 'not-found'],
      ['a long head', get('/livez', HOST, `X-A: ${'a'.repeat(5_000)}`), 431, 'headers-too-large'],
      ['a body that is too large', post('/api/v1/restart', ' '.repeat(1_001)), 413, 'too-large'],
      ['positions that are too many', post('/api/v1/predict', ' '.repeat(4_001)), 413, 'too-large'],
      ['malformed JSON', post('/api/v1/restart', '{"actor":'), 400, 'bad-request'],
      ['text behind JSON', post('/api/v1/restart', '{} {}'), 400, 'bad-request'],
      ['a prototype', post('/api/v1/commands', '{"__proto__":{"name":"shutdown"}}'), 400, 'bad-request'],
      [
        'a constructor',
        post('/api/v1/commands', '{"constructor":{"prototype":{"name":"shutdown"}}}'),
        400,
        'bad-request',
      ],
      ['two lengths', post('/api/v1/restart', '{}', ['Content-Length: 1']), 400, 'bad-request'],
      [
        'a length and chunks',
        post('/api/v1/restart', '0\r\n\r\n', ['Transfer-Encoding: chunked']),
        400,
        'bad-request',
      ],
    ];
    for (const [what, bytes, status, code] of raw) {
      it(`answers ${what}`, async () => {
        const expected = status === 0 ? [] : [[status, code]];
        expect(answersIn(await sendRaw(door.port, bytes))).to.deep.equal(expected);
        expect(door.requests).to.deep.equal([]);
        expect((await ask(door, '/livez')).status).to.equal(200);
      });
    }

    it('answers other types than JSON, which a page could send without asking', async () => {
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'a/b']) {
        const init = { method: 'POST', headers: { 'content-type': type }, body: '{"name":"shutdown"}' };
        const { body, status } = await ask(door, '/api/v1/commands', init);
        expect([status, body], type).to.have.deep.nested.property('[1].error.code', 'unsupported-media-type');
      }
      expect(door.requests).to.deep.equal([]);
    });

    it('answers a body in chunks that is too large', async () => {
      const chunk = 'a'.repeat(600);
      const bytes = [
        'POST /api/v1/restart HTTP/1.1',
        HOST,
        'Content-Type: application/json',
        'Transfer-Encoding: chunked',
        '',
        ...['258', chunk, '258', chunk, '0', '', ''],
      ].join('\r\n');
      expect(answersIn(await sendRaw(door.port, bytes))).to.deep.equal([[413, 'too-large']]);
    });

    it('takes as much as it says', async () => {
      const body = `{"actor":"x"}${' '.repeat(1_000 - 13)}`;
      expect(answersIn(await sendRaw(door.port, post('/api/v1/restart', body)))).to.deep.equal([
        [200, undefined],
      ]);
    });
  });

  describe('to who is slow', () => {
    const limits = { headersMs: 200, requestMs: 400, keepAliveMs: 200 };

    it('ends a connection that sends nothing, half a head, or half a body', async () => {
      door = await openDoor({ limits });
      const [nothing, head, body] = await Promise.all([
        connect(door.port),
        connect(door.port),
        connect(door.port),
      ]);
      head.write(`GET /livez HTTP/1.1\r\n${HOST}\r\nX-`);
      body.write(
        `POST /api/v1/restart HTTP/1.1\r\n${HOST}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
      );
      await Promise.all([nothing, head, body].map(closed));
      expect(door.requests).to.deep.equal([]);
    });

    it('ends one that trickles', async () => {
      door = await openDoor({ limits });
      const socket = await connect(door.port);
      socket.write(`GET /livez HTTP/1.1\r\n${HOST}\r\n`);
      const trickle = setInterval(() => socket.write('X-A: a\r\n'), 20);
      try {
        await closed(socket);
      } finally {
        clearInterval(trickle);
      }
    });

    it('ends one that asks nothing more', async () => {
      door = await openDoor({ limits });
      const socket = await connect(door.port);
      socket.write(`GET /livez HTTP/1.1\r\n${HOST}\r\n\r\n`);
      await closed(socket);
    });

    it('ends one that does not take its answer', async () => {
      door = await openDoor({
        admin: { maxConnections: '1' },
        limits: { requestMs: 2_000, headersMs: 2_000 },
        answer: () => ({ status: 'done', result: { text: 'a'.repeat(64 * 2 ** 20) } }),
      });
      const socket = await connect(door.port);
      socket.pause();
      socket.write(`GET /api/v1/status HTTP/1.1\r\n${HOST}\r\n\r\n`);
      await within(
        ANSWERS_MS,
        'the command',
        until(() => door.requests.length === 1),
      );
      // There is room for one connection: another is answered when this one has ended.
      await within(ANSWERS_MS, 'room', until(isAnswered));
      socket.destroy();
    });
  });

  describe('under load', () => {
    it('goes on with 200 connections held open', async () => {
      door = await openDoor();
      const held = await Promise.all(Array.from({ length: 200 }, () => connect(door.port)));
      expect((await ask(door, '/livez')).status).to.equal(200);
      expect((await ask(door, '/api/v1/status')).status).to.equal(200);
      destroyAll(held);
    });

    it('closes connections above the limit, and takes new ones when there is room', async () => {
      door = await openDoor({ admin: { maxConnections: '10' } });
      const held = await Promise.all(Array.from({ length: 10 }, () => connect(door.port)));
      const above = await connect(door.port);
      await closed(above);
      expect(held.every((socket) => !socket.destroyed)).to.equal(true);
      destroyAll(held);
      await within(ANSWERS_MS, 'room', until(isAnswered));
    });

    it('answers probes during a flood of commands, of which it carries out so many at a time', async () => {
      const waiting: (() => void)[] = [];
      door = await openDoor({
        limits: { commands: 4 },
        answer: () =>
          new Promise<Outcome>((resolve) => {
            waiting.push(() => {
              resolve({ status: 'done', result: {} });
            });
          }),
      });
      const flood = Array.from({ length: 150 }, () => ask(door, '/api/v1/checkpoint', { method: 'POST' }));
      expect((await ask(door, '/livez')).status).to.equal(200);
      await within(
        ANSWERS_MS,
        'four commands',
        until(() => waiting.length === 4),
      );
      const over = await ask(door, '/api/v1/status');
      expect([over.status, over.headers.get('retry-after')]).to.deep.equal([429, '1']);
      expect((await ask(door, '/readyz')).status).to.equal(200);
      for (const answer of waiting) {
        answer();
      }
      const rest = setInterval(() => {
        waiting.splice(0).forEach((answer) => {
          answer();
        });
      }, 5);
      const statuses = (await Promise.all(flood)).map(({ status }) => status);
      expect(new Set(statuses)).to.deep.equal(new Set([200, 429]));
      const last = ask(door, '/api/v1/status');
      expect((await last).status).to.equal(200);
      clearInterval(rest);
    });

    it('refuses an address that asks too often, but not its probes', async () => {
      door = await openDoor({ limits: { burst: 20, requestsPerSecond: 0.001 } });
      const statuses = await Promise.all(
        Array.from({ length: 60 }, async () => (await ask(door, '/api/v1/status')).status),
      );
      expect(statuses.filter((status) => status === 200)).to.have.length(20);
      expect(statuses.filter((status) => status === 429)).to.have.length(40);
      const { headers } = await ask(door, '/api/v1/status');
      expect(Number(headers.get('retry-after'))).to.be.greaterThan(100);
      expect((await ask(door, '/livez')).status).to.equal(200);
      expect(door.requests).to.have.length(20);
    });

    it('counts wrong tokens as requests, so that they cannot be tried out', async () => {
      door = await openDoor({
        admin: { token: TOKEN },
        limits: { burst: 3, requestsPerSecond: 0.001 },
      });
      const statuses: number[] = [];
      for (let tries = 0; tries < 5; tries++) {
        const headers = { authorization: `Bearer wrong-token-${String(tries)}-000` };
        statuses.push((await ask(door, '/api/v1/status', { headers })).status);
      }
      expect(statuses).to.deep.equal([401, 401, 401, 429, 429]);
    });
  });

  describe('when it closes', () => {
    it('ends idle connections at once and awaits requests under way', async () => {
      let finish: () => void = () => undefined;
      door = await openDoor({
        limits: { closeMs: 3_600_000, keepAliveMs: 3_600_000, headersMs: 3_600_000, requestMs: 3_600_000 },
        answer: () =>
          new Promise<Outcome>((resolve) => {
            finish = () => {
              resolve({ status: 'done', result: {} });
            };
          }),
      });
      const [nothing, idle, busy] = await Promise.all([1, 2, 3].map(() => connect(door.port)));
      const [silent, asked, working] = [nothing, idle, busy] as [net.Socket, net.Socket, net.Socket];
      asked.write(`GET /livez HTTP/1.1\r\n${HOST}\r\n\r\n`);
      await within(ANSWERS_MS, 'an answer', new Promise((resolve) => asked.once('data', resolve)));
      let received = '';
      working.on('data', (bytes) => {
        received += String(bytes);
      });
      working.write(`POST /api/v1/checkpoint HTTP/1.1\r\n${HOST}\r\n\r\n`);
      await within(
        ANSWERS_MS,
        'the command',
        until(() => door.requests.length === 1),
      );
      const closing = door.close();
      await Promise.all([silent, asked].map(closed));
      expect(received).to.equal('');
      finish();
      await within(ANSWERS_MS, 'the end', closing);
      await closed(working);
      expect(answersIn(received)).to.deep.equal([[200, undefined]]);
    });

    it('does not await for ever', async () => {
      door = await openDoor({ limits: { closeMs: 50 }, answer: () => new Promise(() => undefined) });
      const asked = ask(door, '/api/v1/drain', { method: 'POST' }).catch(() => 'closed');
      await within(
        ANSWERS_MS,
        'the command',
        until(() => door.requests.length === 1),
      );
      await within(ANSWERS_MS, 'the end', door.close());
      expect(await asked).to.equal('closed');
    });
  });

  it('takes a body without any bytes as none', async () => {
    door = await openDoor();
    const init = { ...json(undefined), body: '' };
    expect((await ask(door, '/api/v1/checkpoint', init)).status).to.equal(200);
  });

  it('tells the key when the port is taken', async () => {
    door = await openDoor();
    const second = await openDoor({ admin: { port: String(door.port) } }).then(
      () => undefined,
      (error: unknown) => error as Error & { code: string },
    );
    expect(second).to.include({ name: 'HttpDoorError', code: 'EADDRINUSE' });
    expect(second?.message)
      .to.include(`admin.port ${String(door.port)}`)
      .and.to.include('--admin-port');
  });
});

function destroyAll(sockets: readonly net.Socket[]): void {
  for (const socket of sockets) {
    socket.destroy();
  }
}

/** Looks again and again; the deadline is that of `within`. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) {
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}
