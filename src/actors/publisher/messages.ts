export type PublisherMessage =
  | {
      readonly type: 'file';
      readonly file: FoundFile;
      /** Called once, with what became of it: returns the claim's credit. */
      readonly handled: (outcome: FileOutcome) => void;
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

/**
 * What the watcher hands over: a file that came to rest, one that cannot be read, or a path that the
 * ledger says was begun and at which nothing stands any more.
 */
export type FoundFile =
  | { readonly kind: 'settled'; readonly path: string; readonly size: number; readonly mtimeMs: number }
  | { readonly kind: 'broken'; readonly path: string; readonly problem: string }
  | { readonly kind: 'gone'; readonly path: string };

/**
 * - `through`: there is nothing more to do with it as it is,
 * - `again`: it changed meanwhile; once it has come to rest it is to be offered again,
 * - `later`: the file system does not let it be read, deleted or moved now; worth trying later.
 */
export type FileOutcome = 'through' | 'again' | 'later';
