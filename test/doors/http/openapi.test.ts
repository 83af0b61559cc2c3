import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Validator } from '@seriousme/openapi-schema-validator';
import { expect } from 'chai';
import openapiTypescript, { astToString } from 'openapi-typescript';
import ts from 'typescript';
import { COMMANDS } from '../../../src/admin/commands.ts';
import { ask, openDoor, type TestDoor } from './door.ts';

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, unknown>>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** What a program does with the generated client; `CALL` stands for the call of a test. */
const CLIENT = `
import createClient from 'openapi-fetch';
import type { paths } from './schema.js';

export async function run(baseUrl: string) {
  const client = createClient<paths>({ baseUrl });
  CALL
}
`;

const GOOD = `
  const paused = await client.POST('/api/v1/stages/{stage}/pause', {
    params: { path: { stage: 'publisher' }, header: { 'Idempotency-Key': 'once' } },
  });
  const isPaused: boolean | undefined = paused.data?.paused;
  const file = await client.GET('/api/v1/files/{path}', { params: { path: { path: 'day 1/a.csv' } } });
  const rejected = await client.GET('/api/v1/rejected', { params: { query: { reason: 'future', limit: 5 } } });
  const found: number | undefined = rejected.data?.found;
  const set = await client.PUT('/api/v1/settings/{key}', { params: { path: { key: 'k' } }, body: { value: 7 } });
  const any = await client.POST('/api/v1/commands', { body: { name: 'restart', actor: 'publisher' } });
  const health = await client.GET('/healthz');
  const refused = await client.POST('/api/v1/rewind', { body: {} });
  const code: string | undefined = refused.error?.error.code;
  const statuses = [paused, file, rejected, set, any, health, refused].map(({ response }) => response.status);
  return { isPaused, found, code, statuses };
`;

const WRONG = [
  [
    'a stage that is none',
    "return await client.POST('/api/v1/stages/{stage}/pause', { params: { path: { stage: 'sink' } } });",
  ],
  ['a missing parameter', "return await client.POST('/api/v1/restart', { body: {} });"],
  ['another method', "return await client.POST('/api/v1/status', {});"],
  ['a result that is none', "return (await client.GET('/api/v1/status')).data?.partition;"],
] as const;

describe('the OpenAPI document', () => {
  let door: TestDoor;
  let document: Document;

  before(async () => {
    door = await openDoor({
      answer: ({ command: { name } }) => ({
        status: 'done',
        result: name === 'pause' ? { stage: 'publisher', paused: true } : { found: 3, redriven: 0, rows: [] },
      }),
    });
    document = (await ask(door, '/api/openapi.json')).body as Document;
  });

  after(async () => {
    await door.close();
  });

  it('is valid', async () => {
    expect(document.openapi).to.equal('3.1.0');
    const result = await new Validator().validate({ ...structuredClone(document) });
    expect(result).to.deep.include({ valid: true });
  });

  it('has an operation for each command, and for all other routes', () => {
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    const others = ['command', 'events', 'livez', 'readyz', 'healthz', 'metrics', 'openapi'];
    expect(operations.map(({ operationId }) => operationId)).to.have.members([
      ...Object.keys(COMMANDS),
      ...others,
    ]);
    for (const { operationId, responses } of operations) {
      expect(Object.keys(responses), operationId).to.include('403');
    }
  });

  it('describes what the server has, and the server has what it describes', async () => {
    for (const [described, methods] of Object.entries(document.paths)) {
      const url = described
        .replace('{stage}', 'publisher')
        .replace('{model}', 'latest')
        .replaceAll(/\{\w+\}/g, 'x');
      const { headers, status } = await ask(door, url, { method: 'PATCH' });
      expect(status, described).to.equal(405);
      const allowed = headers.get('allow')?.split(', ') ?? [];
      expect(allowed, described).to.include.members(Object.keys(methods).map((one) => one.toUpperCase()));
    }
  });

  describe('and a client that is generated from it', () => {
    let folder: string;

    before(async () => {
      folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-client-'));
      fs.symlinkSync(path.join(PROJECT, 'node_modules'), path.join(folder, 'node_modules'), 'junction');
      fs.writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
      const types = await openapiTypescript(structuredClone(document) as never, {
        defaultNonNullable: false,
      });
      fs.writeFileSync(path.join(folder, 'schema.ts'), astToString(types));
    });

    after(() => {
      fs.rmSync(folder, { recursive: true });
    });

    /** Writes a program with this call and compiles it. */
    function compile(call: string): readonly string[] {
      const file = path.join(folder, 'call.ts');
      fs.writeFileSync(
        file,
        CLIENT.replace('CALL', () => call),
      );
      const program = ts.createProgram([file], {
        strict: true,
        target: ts.ScriptTarget.ES2023,
        module: ts.ModuleKind.NodeNext,
        moduleResolution: ts.ModuleResolutionKind.NodeNext,
        lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
        types: [],
        skipLibCheck: true,
      });
      const { diagnostics } = program.emit();
      return [...ts.getPreEmitDiagnostics(program), ...diagnostics].map(({ messageText }) =>
        ts.flattenDiagnosticMessageText(messageText, '\n'),
      );
    }

    it('compiles and calls the server', async () => {
      expect(compile(GOOD)).to.deep.equal([]);
      const { run } = (await import(pathToFileURL(path.join(folder, 'call.js')).href)) as {
        run: (url: string) => Promise<unknown>;
      };
      expect(await run(door.url)).to.deep.equal({
        isPaused: true,
        found: 3,
        code: 'invalid',
        statuses: [200, 200, 200, 200, 200, 200, 400],
      });
      expect(door.requests.map(({ command, id }) => [command, id === 'once'])).to.deep.equal([
        [{ name: 'pause', parameters: { stage: 'publisher' } }, true],
        [{ name: 'files.show', parameters: { path: 'day 1/a.csv' } }, false],
        [{ name: 'rejected.list', parameters: { reason: 'future', limit: 5, all: false } }, false],
        [{ name: 'set', parameters: { key: 'k', value: 7 } }, false],
        [{ name: 'restart', parameters: { actor: 'publisher' } }, false],
      ]);
    });

    for (const [what, call] of WRONG) {
      it(`does not compile with ${what}`, () => {
        expect(compile(call)).to.have.length(1);
      });
    }
  });
});
