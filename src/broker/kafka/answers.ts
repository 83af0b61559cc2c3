import { connect } from 'node:net';
import type { KafkajsConnection, SocketFactory } from './kafkajs-types.ts';

/** What an answer begins with: how many bytes follow. */
const SIZE_BYTES = 4;
/** Room is made ahead up to here: what claims to be longer may be no answer of a Kafka broker. */
const LONGEST_BYTES = 64 * 1024 * 1024;
/** Room of an answer is a multiple of it, so that it fits the next one too. */
const ROOM_BYTES = 256 * 1024;
/** Read from a socket at a time. */
const PIECE_BYTES = 128 * 1024;
const KEEP_ALIVE_MS = 60_000;

/** Who gets the memory of an answer back. */
const lenders = new WeakMap<ArrayBufferLike, AnswerMemory>();

/**
 * Memory of the large answers of a connection. It is used for the next one, if the last has been given back
 * by then. Memory that is new for each answer costs more than all that is done with what is in it: it lies
 * outside of the engine's heap, whose collection it forces again and again.
 */
class AnswerMemory {
  #spare: ArrayBuffer | undefined;

  lend(bytes: number): Buffer {
    const spare = this.#spare;
    this.#spare = undefined;
    const memory =
      spare !== undefined && spare.byteLength >= bytes
        ? spare
        : Buffer.allocUnsafeSlow(Math.ceil(bytes / ROOM_BYTES) * ROOM_BYTES).buffer;
    lenders.set(memory, this);
    return Buffer.from(memory, 0, bytes);
  }

  takeBack(memory: ArrayBuffer): void {
    this.#spare = memory;
  }

  /** Answers are small now: nothing is kept for them. */
  forget(): void {
    this.#spare = undefined;
  }
}

/** Nobody needs the answer any more of which `part` is a part, nor any other part of it. */
export function usedUp(part: Buffer): void {
  const memory = part.buffer;
  const lender = lenders.get(memory);
  lenders.delete(memory);
  lender?.takeBack(memory as ArrayBuffer);
}

/**
 * Puts a large answer together where it will lie, piece by piece. kafkajs would join the pieces when the last
 * one is there, and before that it would keep them: so pieces could not share memory.
 */
export function collectAnswers(connection: KafkajsConnection): void {
  const process = connection.processData.bind(connection);
  const memory = new AnswerMemory();
  let answer: Buffer | undefined;
  let filled = 0;
  connection.processData = (piece) => {
    let rest = piece;
    while (rest.byteLength > 0) {
      if (answer === undefined) {
        const bytes = sizeOfLarge(connection, rest);
        if (bytes === undefined) {
          memory.forget();
          process(Buffer.from(rest));
          return;
        }
        answer = memory.lend(bytes);
        filled = 0;
      }
      const taken = Math.min(rest.byteLength, answer.byteLength - filled);
      rest.copy(answer, filled, 0, taken);
      filled += taken;
      rest = rest.subarray(taken);
      if (filled === answer.byteLength) {
        const whole = answer;
        answer = undefined;
        // Else kafkajs would join what came last, which is nothing, and the answer.
        connection.chunks = [];
        process(whole);
      }
    }
  };
}

/** Bytes of the answer that begins with `piece`, its size included, if more of it are to come. */
function sizeOfLarge(connection: KafkajsConnection, piece: Buffer): number | undefined {
  const between = connection.bytesBuffered === 0 && !connection.authHandlers;
  if (!between || piece.byteLength < SIZE_BYTES) {
    return undefined;
  }
  const bytes = SIZE_BYTES + piece.readInt32BE(0);
  return bytes > piece.byteLength && bytes <= LONGEST_BYTES ? bytes : undefined;
}

/**
 * Sockets that read into the same memory again and again; what they tell is valid until their listener
 * returns. TLS has no such way: its sockets are `secured`'s.
 */
export function thriftySockets(secured: SocketFactory): SocketFactory {
  return (target) => {
    if (target.ssl) {
      return secured(target);
    }
    const buffer = Buffer.allocUnsafeSlow(PIECE_BYTES);
    const { host, onConnect, port } = target;
    const callback = (bytes: number): boolean => socket.emit('data', buffer.subarray(0, bytes));
    const socket = connect({ host, port, onread: { buffer, callback } }, onConnect);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    return socket;
  };
}
