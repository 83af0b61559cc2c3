declare module 'js-yaml' {
  /** Parses one YAML 1.2 document. Throws YAMLException, also for duplicate keys. */
  export function load(text: string): unknown;
  /** Parses all documents of a text. Throws YAMLException, also for duplicate keys. */
  export function loadAll(text: string): unknown[];
}
