/**
 * Answers by which an app, or who speaks through one, tries to have another caller served what it wants. Data only;
 * `POISON` is what no other caller may ever see.
 */

const OK = 'HTTP/1.1 200 OK\r\n';
export const POISON = `${OK}Content-Length: 6\r\n\r\nPOISON`;

const chunked = (text: string): string => `${OK}Transfer-Encoding: chunked\r\n\r\n${text}`;

/** Heads that have no one meaning: the caller is told so. */
export const REFUSED_ANSWERS: Readonly<Record<string, string>> = {
  'two different lengths': `${OK}Content-Length: 1\r\nContent-Length: 50\r\n\r\nx${POISON}`,
  'two equal lengths': `${OK}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx`,
  'a list of lengths': `${OK}Content-Length: 1, 50\r\n\r\nx${POISON}`,
  'a signed length': `${OK}Content-Length: +1\r\n\r\nx${POISON}`,
  'a length beyond 64 bits': `${OK}Content-Length: 18446744073709551617\r\n\r\nx${POISON}`,
  'a length beside a coding': `${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${POISON}`,
  'another coding before chunked': `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  'chunked twice': `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'an unknown coding': `${OK}Transfer-Encoding: cow\r\nContent-Length: 1\r\n\r\nx`,
  'a coding in HTTP/1.0': `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${POISON}`,
  'a space before a colon': `${OK}Content-Length : 1\r\n\r\nx${POISON}`,
  'a fold': `${OK}X: x\r\n Content-Length: 1\r\n\r\nx${POISON}`,
  'a bare LF': `${OK}X: x\nContent-Length: 0\r\n\r\n${POISON}`,
  'a bare CR': `${OK}X: x\rContent-Length: 0\r\n\r\n${POISON}`,
  'a NUL': `${OK}X: \0\r\nContent-Length: 0\r\n\r\n`,
  'a line without colon': `${OK}X\r\nContent-Length: 0\r\n\r\n`,
  'HTTP/2.0': 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.2': 'HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n',
  'a status below 100': 'HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n',
  'a status of four digits': 'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n',
  'what is no HTTP': 'until the end',
  'a switch that nobody asked for': `HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n${POISON}`,
  'an interim answer with a length': `HTTP/1.1 103 X\r\nContent-Length: 9\r\n\r\n${POISON}`,
  'an interim answer with a coding': `HTTP/1.1 103 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${POISON}`,
};

export interface BrokenAnswer {
  /** Good as far as it goes: the head and `x`. */
  readonly begin: string;
  readonly fault: string;
}

const broken = (begin: string, fault: string): BrokenAnswer => ({ begin: chunked(begin), fault: fault + POISON });

/** Faults in the body: the caller sees an answer that is not whole, whatever stands behind. */
export const BROKEN_ANSWERS: Readonly<Record<string, BrokenAnswer>> = {
  'a chunk size that is none': broken('1\r\nx\r\n', 'zz\r\n\r\n'),
  'a chunk size with 0x': broken('1\r\nx\r\n', '0x0\r\n\r\n'),
  'a chunk size with a space': broken('1\r\nx\r\n', '0 \r\n\r\n'),
  'a chunk that ends with LF': broken('1\r\nx', '\n0\r\n\r\n'),
  'a chunk longer than its size': broken('1\r\nx', 'y\r\n0\r\n\r\n'),
  'an extension with LF': broken('1\r\nx\r\n', '1;a\ny\r\n0\r\n\r\n'),
  'a length in the trailers': broken('1\r\nx\r\n', '0\r\nContent-Length: 9\r\n\r\n'),
  'an answer in the trailers': broken('1\r\nx\r\n', '0\r\n'),
};

export interface ServedAnswer {
  readonly said: string;
  readonly method?: 'GET' | 'HEAD';
  readonly status: number;
  /** What the caller sees behind the head, as it is framed for it. */
  readonly body: string;
}

/** One meaning, and something behind it that belongs to nobody. */
export const SERVED_ANSWERS: Readonly<Record<string, ServedAnswer>> = {
  'an answer split in two': { said: `${OK}Content-Length: 1\r\n\r\nx${POISON}`, status: 200, body: 'x' },
  'an empty answer split in two': { said: `${OK}Content-Length: 0\r\n\r\n${POISON}`, status: 200, body: '' },
  'a chunked answer split in two': {
    said: chunked(`1\r\nx\r\n0\r\n\r\n${POISON}`),
    status: 200,
    body: '1\r\nx\r\n0\r\n\r\n',
  },
  'an answer in an answer': {
    said: `${OK}Content-Length: ${POISON.length}\r\n\r\n${POISON}`,
    status: 200,
    body: POISON,
  },
  'an answer to HEAD with a body': {
    said: `${OK}Content-Length: ${POISON.length}\r\n\r\n${POISON}`,
    method: 'HEAD',
    status: 200,
    body: '',
  },
  'an answer to HEAD with chunks': { said: chunked(`0\r\n\r\n${POISON}`), method: 'HEAD', status: 200, body: '' },
  'a 204 with a body': {
    said: `HTTP/1.1 204 X\r\nContent-Length: ${POISON.length}\r\n\r\n${POISON}`,
    status: 204,
    body: '',
  },
  'a 204 with chunks': {
    said: `HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${POISON}`,
    status: 204,
    body: '',
  },
  'a 304 with a body': {
    said: `HTTP/1.1 304 X\r\nContent-Length: ${POISON.length}\r\n\r\n${POISON}`,
    status: 304,
    body: '',
  },
  'an early answer behind an interim one': {
    said: `HTTP/1.1 103 X\r\nLink: a\r\n\r\n${OK}Content-Length: 1\r\n\r\nx${POISON}`,
    status: 200,
    body: 'x',
  },
};
