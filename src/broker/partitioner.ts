/**
 * Kafka's default partitioner (murmur2 over the key's UTF-8 bytes), so that our keys and those of a
 * foreign producer with the same key meet in the same partition.
 * Source: org.apache.kafka.common.utils.Utils#murmur2.
 */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(new TextEncoder().encode(key)) & 0x7fffffff) % partitions;
}

const MIX = 0x5bd1e995;

export function murmur2(bytes: Uint8Array): number {
  let hash = 0x9747b28c ^ bytes.length;
  const blocks = bytes.length >> 2;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let block = 0; block < blocks; block++) {
    let word = view.getInt32(block * 4, true);
    word = Math.imul(word, MIX);
    word ^= word >>> 24;
    word = Math.imul(word, MIX);
    hash = Math.imul(hash, MIX) ^ word;
  }
  const rest = blocks * 4;
  switch (bytes.length - rest) {
    case 3:
      hash = Math.imul(
        hash ^ (view.getUint8(rest + 2) << 16) ^ (view.getUint8(rest + 1) << 8) ^ view.getUint8(rest),
        MIX,
      );
      break;
    case 2:
      hash = Math.imul(hash ^ (view.getUint8(rest + 1) << 8) ^ view.getUint8(rest), MIX);
      break;
    case 1:
      hash = Math.imul(hash ^ view.getUint8(rest), MIX);
      break;
    default:
      break;
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, MIX);
  return hash ^ (hash >>> 15);
}
