export type PublisherMessage =
  | {
      readonly type: 'file';
      readonly file: FoundFile;
      /** The publisher is through with it: returns the claim's credit. */
      readonly handled: () => void;
    }
  | {
      /** Publish one row of the test source. */
      readonly type: 'sample';
    }
  | FlushRequest;

/** Answer when everything published so far is on stable storage. */
export interface FlushRequest {
  readonly type: 'flush';
  readonly reply: () => void;
}

/** What the watcher hands over: a file that came to rest, or one that cannot be read. */
export type FoundFile =
  | { readonly kind: 'settled'; readonly path: string; readonly size: number; readonly mtimeMs: number }
  | { readonly kind: 'broken'; readonly path: string; readonly problem: string };
