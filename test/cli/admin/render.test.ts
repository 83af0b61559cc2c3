import { expect } from 'chai';
import * as render from '../../../src/cli/admin/render.ts';
import { CONNECTION, STATUS } from './status.ts';

describe('results of commands as text', () => {
  it('tell the status', () => {
    expect(render.statusText(STATUS)).to.deep.equal([
      'replica   geoflock-0, running since 2026-01-01T00:00:00.000Z, Geoflock 0.1.0',
      'health    degraded; publisher is paused; not ready',
      'files     3 done, 1 failed',
      'rows      1,234,567 read, 1,234,560 counted, 7 rejected (future 7)',
      'model     k 5, weight 1,234,560, cost 123.457, published 2026-01-01T00:00:03.000Z, ALARM of drift',
      'log       1 of 2 partitions here, 1,000 records behind',
      'set       k 5',
      '',
      'stage      state               actors  restarts  mailbox  last error',
      'publisher  paused                   1         2        0  disk full',
      'regions    1,199 of 1,200 run   1,200         0       12',
      '',
      'connection                       rows       of  bytes    queued  waiting  waits',
      'partition-0=>regions (paused)  16,384  262,144  3.0 MiB       2        1      7',
      '',
      '2026-01-01T00:00:01.000Z  warn   publisher: no room',
      '2026-01-01T00:00:02.000Z  error  publisher: disk full (3 times)',
    ]);
    const early = { ...STATUS, model: null, connections: [], stages: [] };
    expect(render.statusText(early)).to.include('model     none yet');
  });

  it('tell the topology as a tree', () => {
    const actor = { stage: null, state: 'running', incarnation: 1, restarts: 0, mailbox: 0, lastError: null };
    const text = render.topologyText({
      replica: 'geoflock-0',
      actors: [
        { ...actor, path: 'ingest' },
        { ...actor, path: 'ingest/publisher', lastError: 'disk full' },
      ],
      links: [{ from: 'publisher', to: 'partitions', by: 'mobile_data' }],
      deadLetters: 2,
    });
    expect(text).to.deep.equal([
      'geoflock-0   state    incarnation  restarts  mailbox  last error',
      'ingest       running            1         0        0',
      '  publisher  running            1         0        0  disk full',
      '',
      'publisher -> partitions  (mobile_data)',
      '2 dead letters',
    ]);
  });

  it('tell what waits in a connection', () => {
    const empty = render.queueText({ connection: CONNECTION, items: [] });
    expect(empty.at(-1)).to.equal('nothing waits in it');
    const items = [{ label: 'a.csv', rows: 1, bytes: 2_000 }];
    expect(render.queueText({ connection: CONNECTION, items }).slice(-2)).to.deep.equal([
      'item   rows  bytes',
      'a.csv     1  2,000',
    ]);
    const unbounded = { ...CONNECTION, thresholds: { rows: null, bytes: null } };
    expect(render.connectionsText({ connections: [unbounded] })[1]).to.match(/16,384 +- /);
  });

  it('tell the rest in a line', () => {
    const lines = [
      render.stageText({ stage: 'publisher', paused: false }),
      render.ranOnceText({ stage: 'regions', units: 1, ended: true }),
      render.ranOnceText({ stage: 'regions', units: 0, ended: false }),
      render.restartedText({ actors: ['ingest/publisher'] }),
      render.emptiedText({ connection: 'files', items: 2, rows: 3, rejected: 0 }),
      render.checkpointedText({ nextOffsets: {} }),
      render.settingText({ key: 'k', value: '7', source: 'run time', takesEffect: 'with the next model' }),
      render.endingText({ replica: 'geoflock-0' }),
    ];
    expect(lines).to.deep.equal([
      ['publisher is running'],
      ['regions has done 1 unit of work'],
      ['regions has nothing to do yet: what comes next is let through'],
      ['ingest/publisher is started anew'],
      ['files: 2 items of 3 rows are dropped, 0 rows set aside as rejected'],
      ['no partition is owned here'],
      ['k is 7, from run time; with the next model'],
      ['geoflock-0 drains, commits and ends'],
    ]);
    expect(render.checkpointedText({ nextOffsets: { 3: 12_000 } })).to.deep.equal([
      'committed    next offset',
      'partition 3       12,000',
    ]);
    expect(
      render.drainedText({ rows: { read: 2, counted: 1, rejected: 1 }, model: { k: 1, cost: 2 } }),
    ).to.deep.equal(['rows      2 read, 1 counted, 1 rejected', 'model     k 1, cost 2.00000, is published']);
  });
});
