/** Files of kafkajs that come without types: `kafkajs.ts` gives them those of `kafkajs-types.ts`. */
declare module 'kafkajs/src/*' {
  const internal: unknown;
  export default internal;
}
