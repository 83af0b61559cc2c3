/**
 * Bytes through the embedded broker: writes, reads and removes at the same time.
 *
 *     npx tsx bench/embedded-broker.ts [directory] [gigabytes] [megabytes a transaction] [bytes a record]
 *
 * Prints MB of values per second, CPU seconds per GB of values (written and read once), the longest time
 * the event loop stood still, anonymous memory, and the size of the file.
 */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { OutgoingRecord } from '../src/broker/broker.ts';
import { openEmbeddedBroker } from '../src/broker/embedded/broker.ts';
import { systemClock } from '../src/system/clock.ts';
import { silentLogger } from '../src/system/logger.ts';

const [parent = tmpdir(), gigabytes = '4', megabytes = '2', recordBytes = '65536'] = process.argv.slice(2);
const PARTITIONS = 8;
const TOPIC = 'bench';

const directory = mkdtempSync(join(parent, 'geoflock-bench-'));
const broker = await openEmbeddedBroker({
  directory,
  mapBytes: 2 * 2 ** 30,
  log: silentLogger,
  clock: systemClock,
});
await broker.declareTopics([
  { name: TOPIC, kind: 'log', partitions: PARTITIONS, retention: { bytes: 256 * 2 ** 20, ageMs: 3_600_000 } },
  { name: 'state', kind: 'table', partitions: PARTITIONS },
]);

const value = new Uint8Array(Number(recordBytes)).fill(0x31);
const perTransaction = Math.max(1, Math.round((Number(megabytes) * 1e6) / value.byteLength));
const transactions = Math.ceil((Number(gigabytes) * 1e9) / (perTransaction * value.byteLength));
const total = transactions * perTransaction;

function rssAnonMb(): number {
  const found = /RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(found?.[1] ?? Number.NaN) / 1024;
}

async function write(): Promise<void> {
  const writer = await broker.openWriter('bench');
  const chunk = new Uint8Array(64 * 1024);
  for (let at = 0; at < transactions; at++) {
    // The consumer's bound: as the connection of a real run would.
    while (broker.unconsumed(TOPIC).bytes > 512 * 2 ** 20) {
      await new Promise((next) => setTimeout(next, 5));
    }
    const transaction = writer.begin();
    const records: OutgoingRecord[] = [];
    for (let record = 0; record < perTransaction; record++) {
      records.push({ key: '89c25', value, timestamp: Date.now(), headers: { file: 'a', lines: '1-500' } });
    }
    transaction.append(TOPIC, at % PARTITIONS, records);
    transaction.put('state', at % PARTITIONS, `chunk-${String(at % 50)}`, chunk);
    await transaction.commit();
  }
}

let readRecords = 0;
let readBytes = 0;
const stop = new AbortController();

async function read(partition: number): Promise<void> {
  const reader = await broker.openReader(TOPIC, partition, 0);
  let acknowledged = 0;
  while (!stop.signal.aborted) {
    const records = await reader.read(1024 * 1024, stop.signal);
    for (const record of records) {
      readBytes += record.value?.byteLength ?? 0;
    }
    readRecords += records.length;
    if (reader.position - acknowledged > (8 * 2 ** 20) / value.byteLength || readRecords === total) {
      acknowledged = reader.position;
      await broker.consumedUpTo(TOPIC, partition, acknowledged);
    }
    if (readRecords === total) {
      stop.abort();
    }
  }
}

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
let peak = 0;
let middle = 0;
const sampler = setInterval(() => {
  const now = rssAnonMb();
  peak = Math.max(peak, now);
  if (readRecords < total / 2) {
    middle = now;
  }
}, 100);
const began = performance.now();
const cpu = process.cpuUsage();
await Promise.all([write(), ...Array.from({ length: PARTITIONS }, (_, partition) => read(partition))]);
const seconds = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(cpu);
clearInterval(sampler);
delay.disable();
const gb = readBytes / 1e9;
console.log(
  JSON.stringify({
    gigabytes: Number(gb.toFixed(2)),
    recordBytes: value.byteLength,
    megabytesPerTransaction: Number(megabytes),
    megabytesPerSecond: Math.round((gb * 1000) / seconds),
    cpuSecondsPerGb: Number(((user + system) / 1e6 / gb).toFixed(2)),
    loopDelayMaxMs: Number((delay.max / 1e6).toFixed(1)),
    loopDelayP99Ms: Number((delay.percentile(99) / 1e6).toFixed(1)),
    rssAnonMb: { middle: Math.round(middle), end: Math.round(rssAnonMb()), peak: Math.round(peak) },
    fileMb: Math.round(statSync(join(directory, 'data.mdb')).size / 1e6),
    liveMb: Math.round(broker.usage().liveBytes / 1e6),
  }),
);
await broker.close();
rmSync(directory, { recursive: true, force: true });
