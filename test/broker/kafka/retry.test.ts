import { expect } from 'chai';
import {
  AccessDeniedError,
  BrokerError,
  BrokerUnavailableError,
  FencedError,
  NotOwnerError,
  RecordTooLargeError,
  TopicLostError,
  UnknownOutcomeError,
} from '../../../src/broker/errors.ts';
import { errorOfCode } from '../../../src/broker/kafka/kafkajs.ts';
import { type PersistOptions, pause, persist, translate } from '../../../src/broker/kafka/retry.ts';
import { settle, SimulatedClock } from '../../support/simulated-clock.ts';
import { failure } from '../helpers.ts';
import { listeningLogger } from './fixtures.ts';

function silence(message = 'ECONNREFUSED'): Error {
  return Object.assign(new Error(message), { name: 'KafkaJSConnectionError', broker: 'b:9092' });
}

function answer(type: string): Error {
  return Object.assign(new Error(type), { name: 'KafkaJSProtocolError', type });
}

describe('waiting out Kafka', () => {
  let clock: SimulatedClock;
  let lines: string[];
  let options: PersistOptions;
  /** Monotonic times of the tries. */
  let tries: number[];

  beforeEach(() => {
    clock = new SimulatedClock();
    lines = [];
    tries = [];
    options = { what: 'reading', clock, log: listeningLogger(lines), random: () => 1 };
  });

  /** Fails with each of `errors` in turn, then succeeds. */
  function failing(...errors: readonly Error[]): () => Promise<string> {
    return () => {
      const error = errors[tries.length];
      tries.push(clock.monotonic());
      return error === undefined ? Promise.resolve('done') : Promise.reject(error);
    };
  }

  it('gives what the work gives, and says nothing when nothing is wrong', async () => {
    expect(await persist(failing(), options)).to.equal('done');
    expect(lines).to.deep.equal([]);
    expect(clock.pending).to.equal(0);
  });

  it('tries again while nobody answers, ever more slowly up to two seconds, and tells one outage once', async () => {
    const done = persist(failing(...Array.from({ length: 9 }, () => silence())), options);
    await clock.advance(60_000);
    expect(await done).to.equal('done');
    const pauses = tries.slice(1).map((at, index) => at - (tries[index] ?? 0));
    expect(pauses).to.deep.equal([50, 100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000]);
    expect(lines).to.have.length(2);
    expect(lines[0])
      .to.match(/^warn .*reading/)
      .and.match(/ECONNREFUSED/);
    expect(lines[1]).to.match(/^info .*reading/);
  });

  it('tries again where the broker says not now, and is silent about what is over in a second', async () => {
    const done = persist(
      failing(answer('NOT_LEADER_FOR_PARTITION'), answer('NOT_COORDINATOR_FOR_GROUP'), errorOfCode(14)),
      options,
    );
    await clock.advance(1_000);
    expect(await done).to.equal('done');
    expect(lines).to.deep.equal([]);
  });

  it('warns of answers that say not now for more than a second', async () => {
    const done = persist(failing(...Array.from({ length: 7 }, () => errorOfCode(19))), options);
    await clock.advance(10_000);
    await done;
    expect(lines.map((line) => line.split(' ')[0])).to.deep.equal(['warn', 'info']);
    expect(lines[0]).to.match(/NOT_ENOUGH_REPLICAS/);
  });

  it('waits only milliseconds for the end of the former transaction', async () => {
    const done = persist(failing(errorOfCode(51), errorOfCode(51), errorOfCode(51)), options);
    await clock.advance(100);
    await done;
    expect(tries).to.deep.equal([0, 4, 12, 28]);
  });

  it('asks for fresh metadata before each further try, and does not mind if that fails', async () => {
    const told: unknown[] = [];
    const first = silence('first');
    const done = persist(failing(first, answer('LEADER_NOT_AVAILABLE')), {
      ...options,
      onTrouble: (error) => {
        told.push(error);
        return Promise.reject(new Error('nobody there'));
      },
    });
    await clock.advance(1_000);
    expect(await done).to.equal('done');
    expect(told).to.have.length(2);
    expect(told[0]).to.equal(first);
  });

  it('gives up at the time given, naming what, where and the remedy', async () => {
    const done = failure(
      persist(() => Promise.reject(silence()), { ...options, untilMs: 60_000, brokers: ['a:1', 'b:2'] }),
    );
    await clock.advance(59_999);
    await clock.advance(1);
    const error = await done;
    expect(error).to.be.instanceOf(BrokerUnavailableError);
    expect((error as Error).message)
      .to.match(/reading/)
      .and.match(/a:1, b:2/)
      .and.match(/60 s/)
      .and.match(/check/);
    expect(clock.monotonic()).to.equal(60_000);
  });

  it('takes a topic as lost that stays unknown for 15 s, not one whose news is under way', async () => {
    const unknown = Array.from({ length: 5 }, () => errorOfCode(3));
    const soon = persist(failing(...unknown), options);
    await clock.advance(10_000);
    expect(await soon).to.equal('done');

    const began = clock.monotonic();
    const never = failure(persist(() => Promise.reject(errorOfCode(3)), options));
    await clock.advance(40_000);
    expect(await never).to.be.instanceOf(TopicLostError);
    expect(clock.monotonic() - began).to.be.at.least(15_000);
  });

  it('waits out that the server failed at it, but not for longer than 15 s', async () => {
    const failures = Array.from({ length: 5 }, () => errorOfCode(-1));
    const soon = persist(failing(...failures, errorOfCode(3)), options);
    await clock.advance(14_000);
    expect(await soon).to.equal('done');

    const never = failure(persist(() => Promise.reject(errorOfCode(-1)), options));
    await clock.advance(40_000);
    expect(String(await never)).to.match(/UNKNOWN/);
  });

  it('counts the 15 s of a topic anew after an outage', async () => {
    let outage = false;
    const done = persist(() => {
      const at = clock.monotonic();
      if (at > 25_000) {
        return Promise.resolve('done');
      }
      outage = at > 8_000 && at < 12_000;
      return Promise.reject(outage ? silence() : errorOfCode(3));
    }, options);
    await clock.advance(60_000);
    expect(await done).to.equal('done');
  });

  it('throws at once what no waiting heals', async () => {
    const own = new NotOwnerError('not ours');
    expect(await failure(persist(failing(own), options))).to.equal(own);
    tries = [];
    // The cause of an error that was judged already is not judged again.
    const unknown = new UnknownOutcomeError('who knows', { cause: silence() });
    expect(await failure(persist(failing(unknown), options))).to.equal(unknown);
    tries = [];
    expect(await failure(persist(failing(errorOfCode(47)), options))).to.be.instanceOf(FencedError);
    expect(tries).to.have.length(1);
  });

  it('ends with the reason of its signal, in the pause and while the work is under way', async () => {
    for (const work of [
      (): Promise<never> => Promise.reject(silence()),
      (): Promise<never> => new Promise(() => undefined),
    ]) {
      const stop = new AbortController();
      const done = failure(persist(work, { ...options, signal: stop.signal }));
      await settle();
      const reason = new Error('stopped');
      stop.abort(reason);
      expect(await done).to.equal(reason);
      expect(clock.pending).to.equal(0);
    }
  });

  it('does not begin when its signal has aborted', async () => {
    const signal = AbortSignal.abort(new Error('stopped'));
    await failure(persist(failing(), { ...options, signal }));
    expect(tries).to.deep.equal([]);
  });

  it('leaves no timer behind when a pause is aborted', async () => {
    const stop = new AbortController();
    const paused = failure(pause(1_000, clock, stop.signal));
    stop.abort(new Error('stopped'));
    expect(await paused).to.have.property('message', 'stopped');
    expect(clock.pending).to.equal(0);
  });
});

describe('what Kafka answers, as our errors', () => {
  const cases: [number, new (message: string) => Error, RegExp][] = [
    [47, FencedError, /INVALID_PRODUCER_EPOCH.*reopen/],
    [48, FencedError, /INVALID_TXN_STATE/],
    [49, FencedError, /INVALID_PRODUCER_ID_MAPPING/],
    [90, FencedError, /PRODUCER_FENCED/],
    [29, AccessDeniedError, /TOPIC_AUTHORIZATION_FAILED.*kafka-acls/],
    [30, AccessDeniedError, /GROUP_AUTHORIZATION_FAILED/],
    [53, AccessDeniedError, /TRANSACTIONAL_ID_AUTHORIZATION_FAILED/],
    [58, AccessDeniedError, /credentials/],
    [10, RecordTooLargeError, /max\.message\.bytes/],
    [18, RecordTooLargeError, /max\.message\.bytes/],
    [3, TopicLostError, /deleted/],
    [87, BrokerError, /INVALID_RECORD/],
  ];
  for (const [code, kind, message] of cases) {
    it(`code ${String(code)}: ${kind.name}`, () => {
      const error = translate(errorOfCode(code), 'writing');
      expect(error.constructor).to.equal(kind);
      expect(error.message)
        .to.match(message)
        .and.match(/^writing: /);
    });
  }

  it('reads what kafkajs has wrapped, and codes that kafkajs has no name for', () => {
    const wrapped = new Error('no retries left', { cause: errorOfCode(29) });
    expect(translate(wrapped, 'w')).to.be.instanceOf(AccessDeniedError);
    const unnamed = Object.assign(new Error('Unknown error code 90'), { type: 'KAFKAJS_UNKNOWN_ERROR_CODE' });
    expect(translate(unnamed, 'w')).to.be.instanceOf(FencedError);
    expect(translate(errorOfCode(9_999), 'w').message).to.match(/9999/);
  });

  it('keeps an error of ours as it is, and the cause of any other', () => {
    const own = new FencedError('fenced');
    expect(translate(own, 'w')).to.equal(own);
    const cause = errorOfCode(3);
    expect(translate(cause, 'w').cause).to.equal(cause);
  });

  it('names nobody answering, credentials refused, and what is not an error at all', () => {
    expect(translate(silence(), 'w')).to.be.instanceOf(BrokerUnavailableError);
    const refused = Object.assign(new Error('SASL PLAIN failed'), { name: 'KafkaJSSASLAuthenticationError' });
    expect(translate(refused, 'w')).to.be.instanceOf(AccessDeniedError);
    expect(translate('strange', 'w').message).to.equal('w: strange');
  });
});
