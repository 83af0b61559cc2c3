import { expect } from 'chai';
import { COMMANDS, type CommandName } from '../../../src/admin/commands.ts';
import { ERROR_CODES, type ErrorCode } from '../../../src/admin/outcome.ts';
import { ask, json, openDoor, type TestDoor, TOKEN } from './door.ts';

/** One request for each command: what is sent, and what must arrive. */
const EXAMPLES: Readonly<Record<CommandName, readonly [path: string, body: unknown, parameters: object]>> = {
  status: ['/status', undefined, {}],
  topology: ['/topology', undefined, {}],
  pause: ['/stages/publisher/pause', undefined, { stage: 'publisher' }],
  resume: ['/stages/file-watcher/resume', {}, { stage: 'file-watcher' }],
  'run-once': ['/stages/regions/run-once', undefined, { stage: 'regions' }],
  restart: ['/restart', { actor: 'ingest/publisher' }, { actor: 'ingest/publisher' }],
  'connections.list': ['/connections', undefined, {}],
  'connections.peek': [
    '/connections/partition-0=%3Eregions?limit=5',
    undefined,
    { connection: 'partition-0=>regions', limit: 5 },
  ],
  'connections.empty': [
    '/connections/files/empty',
    { discard: true },
    { connection: 'files', discard: true },
  ],
  drain: ['/drain', undefined, {}],
  checkpoint: ['/checkpoint', undefined, {}],
  'settings.list': ['/settings', undefined, {}],
  set: ['/settings/k', { value: 12 }, { key: 'k', value: 12 }],
  unset: ['/settings/half-life', undefined, { key: 'half-life' }],
  predict: [
    '/predict',
    { positions: [{ longitude: 55, latitude: 45 }] },
    { positions: [{ longitude: 55, latitude: 45 }] },
  ],
  'models.list': ['/models?limit=3', undefined, { limit: 3 }],
  'models.show': ['/models/17', undefined, { model: 17 }],
  'rejected.list': [
    '/rejected?reason=future&all=true',
    undefined,
    { reason: 'future', all: true, limit: 100 },
  ],
  'rejected.show': ['/rejected/6aa9:44264', undefined, { id: '6aa9:44264' }],
  'rejected.redrive': ['/rejected/redrive', { reason: 'future' }, { reason: 'future', all: false }],
  'files.list': ['/files?state=failed', undefined, { state: 'failed', limit: 100 }],
  'files.show': ['/files/day%201%2Fa.csv', undefined, { path: 'day 1/a.csv' }],
  'files.retry': ['/files/retry', { path: 'a.csv' }, { path: 'a.csv' }],
  rewind: ['/rewind', { toOffset: 'earliest' }, { toOffset: 'earliest' }],
  shutdown: ['/shutdown', undefined, {}],
};

describe('commands over HTTP', () => {
  let door: TestDoor;

  before(async () => {
    door = await openDoor();
  });

  after(async () => {
    await door.close();
  });

  beforeEach(() => {
    door.requests.length = 0;
  });

  for (const name of Object.keys(EXAMPLES) as readonly CommandName[]) {
    const [path, body, parameters] = EXAMPLES[name];
    const { method } = COMMANDS[name].http;
    it(`${method} ${path} is ${name}`, async () => {
      const init = body === undefined ? { method } : json(body, method);
      expect(await ask(door, `/api/v1${path}`, init)).to.deep.include({ status: 200, body: {} });
      expect(door.requests.map(({ command }) => command)).to.deep.equal([{ name, parameters }]);
    });

    it(`POST /commands takes ${name} by its name`, async () => {
      const answer = await ask(door, '/api/v1/commands', json({ name, ...parameters }));
      expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
      expect(door.requests.map(({ command }) => command)).to.deep.equal([{ name, parameters }]);
    });
  }

  it('are for the replica that is asked, by whoever asks, and expire', async () => {
    const before = Date.now();
    await ask(door, '/api/v1/status');
    const [request] = door.requests;
    expect(request).to.deep.include({ target: 'replica-1', by: 'http:127.0.0.1', door: 'http' });
    expect(request?.id).to.match(/^[0-9a-f-]{36}$/);
    expect(request?.expiresAt).to.be.within(before + 60_000, Date.now() + 60_000);
  });

  it('can name their id, their target and who asks', async () => {
    const headers = {
      'idempotency-key': 'job-7:pause',
      'x-geoflock-user': 'Ada L.',
      'x-geoflock-door': 'cli',
    };
    const before = Date.now();
    await ask(door, '/api/v1/stages/publisher/pause?target=all&timeout=3600', { method: 'POST', headers });
    const by = 'Ada L. (cli:127.0.0.1)';
    expect(door.requests[0]).to.deep.include({ id: 'job-7:pause', target: 'all', by, door: 'cli' });
    expect(door.requests[0]?.expiresAt).to.be.within(before + 3_600_000, Date.now() + 3_600_000);
  });

  const refused: readonly (readonly [string, string, RequestInit, string])[] = [
    ['a stage that is none', '/stages/sink/pause', { method: 'POST' }, 'pause: stage is "sink"'],
    ['a limit that is none', '/models?limit=many', {}, 'limit is "many"'],
    ['a parameter given twice', '/models?limit=1&limit=2', {}, 'limit is ["1","2"]'],
    ['an unknown parameter', '/models?offset=1', {}, 'Unrecognized key: "offset"'],
    ['a missing parameter', '/restart', { method: 'POST' }, 'actor is missing'],
    ['the path said again', '/settings/k', json({ key: 'l', value: 1 }, 'PUT'), 'key: the path says it'],
    ['a body in the query', '/restart?actor=x', { method: 'POST' }, 'give it in the body'],
    ['another command', '/restart', json({ name: 'shutdown', actor: 'x' }), 'name: the path says it'],
    ['a list', '/commands', json([]), 'expected a JSON object'],
    ['null', '/commands', json(null), 'expected a JSON object'],
    ['no name', '/commands', json({ stage: 'publisher' }), 'there is no command missing'],
    ['an inherited name', '/commands', json({ name: 'constructor' }), 'there is no command "constructor"'],
    ['an id of other signs', '/status', { headers: { 'idempotency-key': 'a b' } }, 'Idempotency-Key is'],
    ['a long id', '/status', { headers: { 'idempotency-key': 'a'.repeat(101) } }, 'Idempotency-Key is'],
    ['a long user', '/status', { headers: { 'x-geoflock-user': 'a'.repeat(101) } }, 'X-Geoflock-User is'],
    ['an empty target', '/status?target=', {}, 'target is ""'],
    ['no time at all', '/status?timeout=0', {}, 'timeout is "0"'],
    ['more than a day', '/status?timeout=86401', {}, 'timeout is "86401"'],
    ['two targets', '/status?target=a&target=b', {}, 'target is ["a","b"]'],
    ['a path upwards', '/files/..%2F..%2Fetc%2Fpasswd', {}, 'files.show: path is "../../etc/passwd"'],
    ['a path from the root', '/files/%2Fetc%2Fpasswd', {}, 'expected a path relative to the input folder'],
    ['a NUL', '/connections/a%00b', {}, 'expected no NUL'],
    ['two ways to rewind', '/rewind', json({ toOffset: 1, toTime: '2026-01-01T00:00:00Z' }), 'not both'],
  ];
  for (const [what, path, init, message] of refused) {
    it(`refuse ${what}`, async () => {
      const { body, status } = await ask(door, `/api/v1${path}`, init);
      expect(status).to.equal(400);
      expect(body).to.have.nested.property('error.code', 'invalid');
      expect((body as { error: { message: string } }).error.message).to.include(message);
      expect(door.requests).to.deep.equal([]);
    });
  }

  it('tell the methods of a path that does not take this one', async () => {
    const wrong: readonly (readonly [string, string, string])[] = [
      ['POST', '/api/v1/status', 'GET'],
      ['GET', '/api/v1/restart', 'POST'],
      ['PATCH', '/api/v1/settings/k', 'DELETE, PUT'],
      ['DELETE', '/api/v1/files/retry', 'GET, POST'],
      ['POST', '/livez', 'GET'],
      ['HEAD', '/api/v1/events', 'GET'],
    ];
    for (const [method, path, allow] of wrong) {
      const { headers, status } = await ask(door, path, { method });
      expect([status, headers.get('allow')], `${method} ${path}`).to.deep.equal([405, allow]);
    }
  });

  it('are not found elsewhere', async () => {
    for (const path of [
      '/',
      '/api',
      '/api/v1',
      '/api/v1/status/',
      '/api//v1/status',
      '/api/v2/status',
      '/x',
    ]) {
      const { body, status } = await ask(door, path);
      expect([status, Object.keys(body as object)], path).to.deep.equal([404, ['error']]);
    }
    expect(door.requests).to.deep.equal([]);
  });
});

describe('outcomes over HTTP', () => {
  const STATUS: Readonly<Record<ErrorCode, number>> = {
    invalid: 400,
    'not-found': 404,
    paused: 409,
    busy: 409,
    'would-lose-rows': 409,
    expired: 410,
    'already-done': 409,
    refused: 409,
    timeout: 504,
    unavailable: 503,
    stopping: 503,
    internal: 500,
  };

  it('have a status for each error, and its code and message', async () => {
    let code: ErrorCode = 'invalid';
    const door = await openDoor({
      answer: () => ({ status: 'failed', error: { code, message: `it is ${code}` } }),
    });
    try {
      for (code of ERROR_CODES) {
        const { body, status } = await ask(door, '/api/v1/status');
        expect([status, body]).to.deep.equal([STATUS[code], { error: { code, message: `it is ${code}` } }]);
      }
    } finally {
      await door.close();
    }
  });

  it('are told without anything of the inside when the port breaks its promise', async () => {
    const door = await openDoor({ answer: () => Promise.reject(new Error('secret /etc/path')) });
    try {
      const { body, status } = await ask(door, '/api/v1/status');
      expect(status).to.equal(500);
      expect(JSON.stringify(body))
        .to.match(/"code":"internal"/)
        .and.not.to.include('secret');
    } finally {
      await door.close();
    }
  });
});

describe('health over HTTP', () => {
  for (const path of ['/livez', '/readyz', '/healthz'] as const) {
    it(`${path} answers 200 while it is well and 503 with reasons when it fails`, async () => {
      const door = await openDoor();
      try {
        expect(await ask(door, path)).to.deep.include({ status: 200, body: { status: 'ok', reasons: [] } });
        const name = path.slice(1) as 'livez';
        door.health[name] = { status: 'degraded', reasons: ['publisher is paused'] };
        expect(await ask(door, path)).to.deep.include({ status: 200, body: door.health[name] });
        door.health[name] = { status: 'failing', reasons: ['the broker does not answer'] };
        expect(await ask(door, path)).to.deep.include({ status: 503, body: door.health[name] });
        expect((await ask(door, path, { method: 'HEAD' })).status).to.equal(503);
      } finally {
        await door.close();
      }
    });
  }

  it('/metrics has the content type of its text', async () => {
    const door = await openDoor();
    try {
      const { body, headers, status } = await ask(door, '/metrics');
      expect([status, headers.get('content-type'), body]).to.deep.equal([
        200,
        'text/plain; version=0.0.4',
        'rows 1\n',
      ]);
    } finally {
      await door.close();
    }
  });

  it('only probes are answered without the token', async () => {
    const door = await openDoor({ admin: { token: TOKEN } });
    try {
      const statuses = await Promise.all(
        ['/livez', '/readyz', '/healthz', '/metrics', '/api/openapi.json', '/nowhere'].map(
          async (path) => (await ask(door, path)).status,
        ),
      );
      expect(statuses).to.deep.equal([200, 200, 401, 401, 401, 401]);
      const headers = { authorization: `Bearer ${TOKEN}` };
      expect((await ask(door, '/healthz', { headers })).status).to.equal(200);
      expect((await ask(door, '/metrics', { headers })).status).to.equal(200);
    } finally {
      await door.close();
    }
  });
});
