declare module 'js-yaml' {
  /** Parses all YAML 1.2 documents of a text. Throws YAMLException, also for duplicate keys. */
  export function loadAll(text: string): unknown[];
}
