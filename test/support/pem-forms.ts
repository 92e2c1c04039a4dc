// PEM as files in the field hold it: changed by shells, JSON, YAML, URLs, base64 and the editors of Windows.

const base64 = (text: string) => Buffer.from(text).toString('base64');
const wrapped = (text: string, width: number) => text.replace(new RegExp(`.{${width}}`, 'g'), '$&\n');
const lines = (pem: string) => pem.trimEnd().split('\n');

export const pemForms: Readonly<Record<string, (pem: string) => string | Buffer>> = {
  'as it is': (pem) => pem,
  'with CRLF': (pem) => pem.replaceAll('\n', '\r\n'),
  'with CR alone': (pem) => pem.replaceAll('\n', '\r'),
  'in UTF-16': (pem) => Buffer.from(`\ufeff${pem}`, 'utf16le'),
  'with \\n': (pem) => pem.replaceAll('\n', '\\n'),
  'with \\r\\n': (pem) => pem.replaceAll('\n', '\\r\\n'),
  'with \\r': (pem) => pem.replaceAll('\n', '\\r'),
  'with \\\\n': (pem) => pem.replaceAll('\n', '\\\\n'),
  'with \\\\\\\\r\\\\\\\\n': (pem) => pem.replaceAll('\n', '\\\\r\\\\n'),
  'with `r`n of PowerShell': (pem) => pem.replaceAll('\n', '`r`n'),
  'with \\u000a': (pem) => pem.replaceAll('\n', '\\u000A'),
  'with \\n and a real line break after it': (pem) => pem.replaceAll('\n', '\\n\n'),
  'with a backslash at each line end': (pem) => pem.replaceAll('\n', '\\\n'),
  'as a JSON string': (pem) => JSON.stringify(pem),
  'as a JSON string in a JSON string': (pem) => JSON.stringify(JSON.stringify(pem)),
  'as a JSON string of PHP': (pem) => JSON.stringify(pem).replaceAll('/', '\\/'),
  'as a JSON string of .NET': (pem) => JSON.stringify(pem).replaceAll('+', '\\u002B'),
  'as a JSON string of Gson': (pem) => JSON.stringify(pem).replaceAll('=', '\\u003d'),
  'in single quotes': (pem) => `'${pem.replaceAll('\n', '\\n')}'`,
  'in strings that are joined': (pem) =>
    lines(pem)
      .map((line) => `"${line}\\n"`)
      .join(' +\n  '),
  'in a list of strings': (pem) =>
    lines(pem)
      .map((line) => `"${line}"`)
      .join(',\n'),
  'on one line with spaces': (pem) => pem.replaceAll('\n', ' '),
  'on one line without spaces': (pem) => pem.replaceAll('\n', ''),
  'indented, with spaces at the line ends': (pem) => pem.replaceAll(/^/gm, '    ').replaceAll('\n', ' \t\n'),
  'URL-encoded': (pem) => encodeURIComponent(pem),
  'form-encoded': (pem) => new URLSearchParams({ pem }).toString(),
  'with &#10; of XML': (pem) => pem.replaceAll('\n', '&#10;'),
  'in base64': base64,
  'in base64, wrapped': (pem) => wrapped(base64(pem), 76),
  'in base64, in quotes': (pem) => `"${base64(pem)}"\n`,
  'in base64, twice': (pem) => base64(`${wrapped(base64(pem), 76)}\n`),
  'in base64, from UTF-16': (pem) => Buffer.from(pem, 'utf16le').toString('base64'),
  'in base64, with \\r\\n': (pem) => base64(pem.replaceAll('\n', '\\r\\n')),
  'in base64, in YAML': (pem) => `apiVersion: v1\ndata:\n  tls.crt: ${base64(pem)}\nkind: Secret\n`,
  'in base64, in YAML over several lines': (pem) =>
    `data:\n  tls.crt: |\n    ${wrapped(base64(pem), 64).trimEnd().replaceAll('\n', '\n    ')}\n  more: x\n`,
};
