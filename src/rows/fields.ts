/**
 * One CSV line as fields (RFC 4180, without line ends inside quotes): for headers, rewriting and
 * explanations. The kernel splits on bytes by the same rules.
 */

export type QuoteError = 'unbalanced' | 'inside-field' | 'after-closing-quote';

export type SplitLine =
  | { readonly ok: true; readonly fields: readonly string[] }
  | { readonly ok: false; readonly error: QuoteError };

/** What a quote error means, for messages. */
export const QUOTE_ERRORS: Readonly<Record<QuoteError, string>> = {
  unbalanced: 'a quoted field is not closed on its line',
  'inside-field': 'a quote stands inside a field that does not begin with one',
  'after-closing-quote': 'text follows a closing quote',
};

/**
 * The fields of a line without its line end, unquoted. An empty line is one empty field.
 * Bytes are read as UTF-8; invalid ones become U+FFFD.
 */
export function splitFields(line: Uint8Array | string): SplitLine {
  const text = typeof line === 'string' ? line : decode(line);
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      const close = closingQuote(text, at + 1);
      if (close < 0) return { ok: false, error: 'unbalanced' };
      fields.push(text.slice(at + 1, close).replaceAll('""', '"'));
      at = close + 1;
      if (at < text.length && text[at] !== ',') return { ok: false, error: 'after-closing-quote' };
    } else {
      const comma = text.indexOf(',', at);
      const end = comma < 0 ? text.length : comma;
      const field = text.slice(at, end);
      if (field.includes('"')) return { ok: false, error: 'inside-field' };
      fields.push(field);
      at = end;
    }
    if (at >= text.length) return { ok: true, fields };
    at++;
  }
}

/**
 * The line, without line end, of which `splitFields` gives these fields. A field is quoted only where
 * it must be: with a comma, a quote or a CR in it.
 * @throws RangeError when a field contains a line feed, which no line can hold
 */
export function joinFields(fields: readonly string[]): string {
  return fields.map(quoteWhereNeeded).join(',');
}

function quoteWhereNeeded(field: string): string {
  if (field.includes('\n')) throw new RangeError(`field ${JSON.stringify(field)} contains a line feed`);
  return /[",\r]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

function closingQuote(text: string, start: number): number {
  for (let at = text.indexOf('"', start); at >= 0; at = text.indexOf('"', at + 2)) {
    if (text[at + 1] !== '"') return at;
  }
  return -1;
}

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
