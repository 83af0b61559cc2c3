import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import { expect } from 'chai';
import fc from 'fast-check';
import { collectAnswers, thriftySockets, usedUp } from '../../../src/broker/kafka/answers.ts';
import type { KafkajsConnection } from '../../../src/broker/kafka/kafkajs-types.ts';

type Collected = Pick<KafkajsConnection, 'authHandlers' | 'bytesBuffered' | 'chunks' | 'processData'>;

/** Joins pieces and cuts them into answers as kafkajs does, and keeps what it is given. */
class JoiningConnection implements Collected {
  authHandlers: object | null = null;
  chunks: readonly Buffer[] = [];
  readonly answers: Buffer[] = [];
  readonly raw: Buffer[] = [];
  /** How often it had to copy. */
  joined = 0;

  get bytesBuffered(): number {
    return this.chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  processData = (piece: Buffer): void => {
    if (this.authHandlers !== null) {
      this.raw.push(piece);
      return;
    }
    this.joined += this.chunks.length > 0 ? 1 : 0;
    let rest = this.chunks.length > 0 ? Buffer.concat([...this.chunks, piece]) : piece;
    while (rest.byteLength >= 4 && rest.byteLength >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0);
      this.answers.push(rest.subarray(4, end));
      rest = rest.subarray(end);
    }
    this.chunks = [rest];
  };
}

describe('answers of a broker', () => {
  function collecting(): JoiningConnection {
    const connection = new JoiningConnection();
    collectAnswers(connection as unknown as KafkajsConnection);
    return connection;
  }

  /** Hands over pieces as a socket does that reads into the same memory again and again. */
  function receive(connection: JoiningConnection, bytes: Buffer, sizes: () => number): void {
    const memory = Buffer.alloc(1024);
    for (let at = 0; at < bytes.byteLength; ) {
      const length = bytes.copy(memory, 0, at, at + Math.min(sizes(), memory.byteLength));
      connection.processData(memory.subarray(0, length));
      memory.fill(0xff);
      at += length;
    }
  }

  it('come out as they were sent, in whatever pieces they arrive, and whoever gives them back', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 3000 }), fc.boolean()), { maxLength: 8 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 1024 })),
        (sent, sizes) => {
          const connection = collecting();
          for (const [at, [length, givenBack]] of sent.entries()) {
            const answer = Buffer.alloc(length, at + 1);
            receive(connection, framed(answer), () => Number(sizes.next().value));
            const received = connection.answers.at(-1) ?? Buffer.alloc(0);
            expect([connection.answers.length, received.equals(answer)]).to.deep.equal([at + 1, true]);
            if (givenBack) {
              usedUp(received);
            }
          }
        },
      ),
    );
  });

  it('come out as they were sent where several come together', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 3000 }), { maxLength: 8 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 1024 })),
        (lengths, sizes) => {
          const connection = collecting();
          const answers = lengths.map((length, at) => Buffer.alloc(length, at + 1));
          receive(connection, Buffer.concat(answers.map(framed)), () => Number(sizes.next().value));
          expect(connection.answers.map(String)).to.deep.equal(answers.map(String));
        },
      ),
    );
  });

  it('keep their bytes until they are given back, and then lend their memory to the next', () => {
    const connection = collecting();
    const send = (byte: number): Buffer => {
      receive(connection, framed(Buffer.alloc(100_000, byte)), () => 1024);
      return connection.answers.at(-1) as Buffer;
    };
    const [first, second] = [send(1), send(2)];
    expect(first.every((byte) => byte === 1)).to.equal(true);
    expect(first.buffer).not.to.equal(second.buffer);
    usedUp(second.subarray(500, 600));
    usedUp(second);
    expect(send(3).buffer).to.equal(second.buffer);
    expect(send(4).buffer).not.to.equal(second.buffer);
    expect(connection.joined, 'copies made on the way').to.equal(0);
  });

  it('are left to kafkajs while it authenticates, and where they say that they are endless', () => {
    const connection = collecting();
    connection.authHandlers = {};
    receive(connection, framed(Buffer.alloc(3000, 1)), () => 1000);
    expect(Buffer.concat(connection.raw).equals(framed(Buffer.alloc(3000, 1)))).to.equal(true);
    connection.authHandlers = null;
    receive(connection, Buffer.from('HTTP/1.1 400 Bad Request'), () => 1000);
    expect(connection.bytesBuffered).to.equal(24);
  });
});

describe('sockets to a broker', () => {
  let server: Server | undefined;

  afterEach(() => server?.close());

  it('bring what was sent, and its end', async () => {
    const sent = Buffer.from(Array.from({ length: 1_000_000 }, (_, at) => at % 251));
    server = createServer((socket) => socket.end(sent));
    const port = await listening(server);
    const received: Buffer[] = [];
    await new Promise<void>((resolve, reject) => {
      const connectTo = thriftySockets(() => {
        throw new Error('nothing here is secured');
      });
      const socket = connectTo({ host: '127.0.0.1', port, ssl: null, onConnect: () => undefined });
      socket.on('data', (piece: Buffer) => received.push(Buffer.from(piece)));
      socket.on('end', resolve).on('error', reject);
    });
    expect(Buffer.concat(received).equals(sent)).to.equal(true);
  });

  it('are those of the other factory where they are secured', () => {
    const secured = new Socket();
    const target = { host: 'h', port: 1, ssl: {}, onConnect: () => undefined };
    expect(thriftySockets(() => secured)(target)).to.equal(secured);
  });
});

function framed(answer: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(answer.byteLength);
  return Buffer.concat([size, answer]);
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
