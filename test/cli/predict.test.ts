import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { predictCommand } from '../../src/cli/predict.ts';
import { serializeModel } from '../../src/clustering/geojson.ts';
import { buildModel, type Model } from '../../src/clustering/model.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import type { Configuration } from '../../src/config/schema.ts';
import { pointsAt, sourcesOf } from '../clustering/points.ts';

const LINE = '2026-01-01 00:00:00.000,d,0,0,9.8,0,0,1\n';

describe('the rows that are predicted', () => {
  let folder: string;
  let file: string;
  let configuration: Configuration;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-predict-'));
    file = path.join(folder, 'model.json');
    ({ configuration } = loadConfiguration({ directory: undefined, flags: [] }));
  });

  afterEach(() => {
    fs.rmSync(folder, { recursive: true });
  });

  const write = (model: Model): void => {
    fs.writeFileSync(file, serializeModel(model));
  };

  /** Runs the command on pieces of input; `ready` is asked after each text that was printed. */
  function start(
    pieces: readonly string[],
    ready?: () => Promise<boolean>,
  ): { ended: Promise<number>; taken: () => number; stdout: () => string; stderr: () => string } {
    let taken = 0;
    let [stdout, stderr] = ['', ''];
    const input = async function* (): AsyncGenerator<Uint8Array> {
      for (const piece of pieces) {
        taken++;
        yield await Promise.resolve(Buffer.from(piece));
      }
    };
    const output = {
      out: (text: string) => {
        stdout += text;
      },
      err: (text: string) => {
        stderr += text;
      },
      ...(ready === undefined ? {} : { ready }),
    };
    const options = { file, asOf: undefined, position: undefined, json: true };
    const ended = predictCommand(configuration, options, input(), output);
    return { ended, taken: () => taken, stdout: () => stdout, stderr: () => stderr };
  }

  it('are read no faster than they are taken', async () => {
    write(buildModel(sourcesOf(pointsAt([[0, 0]])), { k: 1 }));
    const asked: ((reads: boolean) => void)[] = [];
    let more: () => void = () => undefined;
    const isAsked = (): Promise<void> =>
      new Promise((resolve) => {
        more = resolve;
      });
    let next = isAsked();
    const { ended, stdout, taken } = start(Array<string>(4).fill(LINE.repeat(2)), () => {
      more();
      return new Promise((resolve) => {
        asked.push(resolve);
      });
    });
    for (let batch = 1; batch <= 3; batch++) {
      await next;
      next = isAsked();
      expect([taken(), stdout().split('\n').length - 1, asked.length]).to.deep.equal([
        batch,
        2 * batch,
        batch,
      ]);
      asked[batch - 1]?.(batch < 3);
    }
    // Who reads no more ends it.
    expect(await ended).to.equal(0);
    expect([taken(), stdout().split('\n').length - 1]).to.deep.equal([3, 6]);
  });

  it('are told without a margin where there is one cluster', async () => {
    write(buildModel(sourcesOf(pointsAt([[0, 0]])), { k: 1 }));
    const { ended, stdout } = start([LINE]);
    expect([await ended, stdout()]).to.deep.equal([
      0,
      '{"line":1,"longitude":0,"latitude":0,"cluster":{"id":1,"longitude":0,"latitude":0,"place":null},' +
        '"distanceKm":0,"marginKm":null}\n',
    ]);
  });

  it('are none where the model has no clusters', async () => {
    write(buildModel([], { k: 1 }));
    const { ended, stderr, taken } = start([LINE]);
    expect([await ended, stderr(), taken()]).to.deep.equal([
      1,
      'geoflock: the model has no clusters: no rows are counted in it\n',
      0,
    ]);
  });
});
