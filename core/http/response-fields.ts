// The fields of a response that frame and encode its body, in one pass over Node's list of names and values.

/** Values as received; those of a repeated field are joined by commas (RFC 9110, section 5.3). */
export interface ResponseFields {
  /** Of the first field: the parser refuses different ones. */
  contentLength: string | undefined;
  contentEncoding: string | undefined;
  transferEncoding: string | undefined;
  keepAlive: string | undefined;
}

/** Node's own `headers` takes several times as long: it builds an object of all fields. */
export function readFields(rawHeaders: readonly string[]): ResponseFields {
  const fields: ResponseFields = {
    contentLength: undefined,
    contentEncoding: undefined,
    transferEncoding: undefined,
    keepAlive: undefined,
  };
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    const { length } = name;
    // By its length first: most names have another one.
    if (length !== 10 && (length < 14 || length > 17)) continue;
    const value = rawHeaders[at + 1] as string;
    const lowerName = name.toLowerCase();
    if (lowerName === 'content-length') fields.contentLength ??= value;
    else if (lowerName === 'content-encoding') fields.contentEncoding = joined(fields.contentEncoding, value);
    else if (lowerName === 'transfer-encoding') fields.transferEncoding = joined(fields.transferEncoding, value);
    else if (lowerName === 'keep-alive') fields.keepAlive = joined(fields.keepAlive, value);
  }
  return fields;
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}
