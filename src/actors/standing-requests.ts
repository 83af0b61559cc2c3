/**
 * Requests that outlive a restart of the one who serves them. The asking parent keeps them until
 * they are answered; each incarnation of the server takes up what is open when it starts. Requests
 * are idempotent, and each is answered once.
 */
export class StandingRequests<M extends { readonly reply: () => void }> {
  readonly #open = new Set<M>();

  /** Keeps the request until its reply is called; returns the one to send. */
  keep(request: M): M {
    const kept: M = {
      ...request,
      reply: () => {
        if (this.#open.delete(kept)) {
          request.reply();
        }
      },
    };
    this.#open.add(kept);
    return kept;
  }

  open(): readonly M[] {
    return [...this.#open];
  }
}
