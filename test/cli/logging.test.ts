import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { BrokerError, TopicLostError } from '../../src/broker/errors.ts';
import { createLogger } from '../../src/cli/logging.ts';

describe('createLogger', () => {
  let folder: string;
  let to: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-log-'));
    to = path.join(folder, 'log');
  });

  afterEach(() => {
    fs.rmSync(folder, { recursive: true });
  });

  function written(): string {
    return fs.readFileSync(to, 'utf8');
  }

  it('writes JSON lines at once, with time, level, fields, message and the fields of its parents', async () => {
    const logger = await createLogger({ level: 'info', format: 'json', to });
    const before = Date.now();
    logger.child({ stage: 'publisher' }).child({ file: 'a.csv' }).warn({ rows: 3 }, 'rejected');
    const after = Date.now();
    const line = JSON.parse(written()) as Record<string, unknown>;
    expect(Date.parse(String(line['time']))).to.be.within(before, after);
    delete line['time'];
    expect(line).to.deep.equal({
      level: 'warn',
      stage: 'publisher',
      file: 'a.csv',
      rows: 3,
      msg: 'rejected',
    });
  });

  it('writes nothing below its level', async () => {
    const logger = await createLogger({ level: 'warn', format: 'json', to });
    logger.debug({}, 'a');
    logger.info({}, 'b');
    logger.error({}, 'c');
    expect(written().trim().split('\n')).to.have.length(1);
    const silent = await createLogger({ level: 'silent', format: 'json', to: path.join(folder, 'silent') });
    silent.error({}, 'd');
    expect(fs.readFileSync(path.join(folder, 'silent'), 'utf8')).to.equal('');
  });

  it('keeps the stack of an error', async () => {
    const logger = await createLogger({ level: 'info', format: 'json', to });
    logger.error({ err: new RangeError('too far') }, 'failed');
    expect(JSON.parse(written())).to.have.nested.property('err.type', 'RangeError');
    expect(written()).to.include('logging.test.ts');
  });

  it("tells what an operator can act on without a stack, and a fault of the broker's code with it", async () => {
    const logger = await createLogger({ level: 'info', format: 'json', to });
    logger.error({ err: new TopicLostError('topic a is gone') }, 'failed');
    expect(JSON.parse(written())).to.deep.include({
      err: { type: 'TopicLostError', message: 'topic a is gone' },
    });
    logger.error({ err: new BrokerError('no such state') }, 'failed');
    expect(written()).to.include('logging.test.ts');
  });

  it('writes for people on a terminal, and JSON elsewhere, when the format is auto', async () => {
    const human = await createLogger({ level: 'info', format: 'auto', terminal: true, to });
    human.info({ rows: 3 }, 'counted');
    expect(written()).to.include('INFO').and.to.include('counted').and.to.include('"rows":3');
    fs.rmSync(to);
    const json = await createLogger({ level: 'info', format: 'auto', terminal: false, to });
    json.info({ rows: 3 }, 'counted');
    expect(JSON.parse(written())).to.include({ rows: 3, msg: 'counted' });
  });

  it('writes for people without colours where there is no terminal', async () => {
    const logger = await createLogger({ level: 'info', format: 'human', terminal: false, to });
    logger.warn({}, 'plain');
    expect(written()).to.match(/^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: plain\n$/);
  });
});
