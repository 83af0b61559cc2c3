/**
 * Record batches of format 2, the unit in which Kafka's producers write, brokers keep and consumers read:
 *
 * ```
 * base offset i64 | bytes that follow i32 | leader epoch i32 | format i8 | CRC-32C of what follows u32
 * attributes i16 | last offset i32 | base timestamp i64 | largest timestamp i64 | producer id i64
 * producer epoch i16 | first sequence number i32 | number of records i32 | records, perhaps compressed
 *
 * record: length | attributes i8 | timestamp | offset | key | value | number of headers | headers
 * header: name | value
 * ```
 * A record's numbers are varints; its timestamp and offset are differences to the batch's base, and the
 * last offset of a batch is one too. Keys, values and names are a length and so many bytes.
 */

/** Offset and length stand before every batch; the length does not count them. */
export const PREFIX_BYTES = 12;
export const HEAD_BYTES = 61;
export const FORMAT = 2;

/** Where the fields of the head begin. */
export const FIELD = {
  length: 8,
  leaderEpoch: 12,
  format: 16,
  crc: 17,
  attributes: 21,
  lastOffset: 23,
  baseTimestamp: 27,
  largestTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  firstSequence: 53,
  count: 57,
} as const;

export const ATTRIBUTE = { codec: 7, appendTime: 8, transactional: 16, control: 32 } as const;
