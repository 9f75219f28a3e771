import { expect } from 'chai';
import { SessionFault } from '../../../sidecar/tunnel/error-codes.ts';
import { HpackDecoder } from '../../../sidecar/tunnel/hpack-decoder.ts';
import { HpackEncoder } from '../../../sidecar/tunnel/hpack-encoder.ts';
import { type Field, STATIC_TABLE } from '../../../sidecar/tunnel/hpack-tables.ts';
import { decodeHuffman } from '../../../sidecar/tunnel/huffman.ts';

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');

function codeOf(run: () => unknown): number | 'accepted' {
  try {
    run();
    return 'accepted';
  } catch (error) {
    if (error instanceof SessionFault) return error.code;
    throw error;
  }
}

describe('HPACK decoding', () => {
  it('has the static table of RFC 7541 Appendix A', () => {
    expect(STATIC_TABLE).to.have.length(61);
    expect(STATIC_TABLE[15]).to.deep.equal(['accept-encoding', 'gzip, deflate']);
    expect(STATIC_TABLE[60]).to.deep.equal(['www-authenticate', '']);
  });

  it('reads the single fields of RFC 7541 C.2', () => {
    const decode = (text: string): Field[] => new HpackDecoder(4096).decode(hex(text));
    expect(decode('400a637573746f6d2d6b65790d637573746f6d2d686561646572')).to.deep.equal([
      ['custom-key', 'custom-header'],
    ]);
    expect(decode('040c2f73616d706c652f70617468')).to.deep.equal([[':path', '/sample/path']]);
    expect(decode('100870617373776f726406736563726574')).to.deep.equal([['password', 'secret']]);
    expect(decode('82')).to.deep.equal([[':method', 'GET']]);
  });

  for (const [name, blocks] of [
    [
      'C.3, without Huffman',
      [
        '828684410f7777772e6578616d706c652e636f6d',
        '828684be58086e6f2d6361636865',
        '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
      ],
    ],
    [
      'C.4, with Huffman',
      [
        '828684418cf1e3c2e5f23a6ba0ab90f4ff',
        '828684be5886a8eb10649cbf',
        '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
      ],
    ],
  ] as const) {
    it(`reads the requests of RFC 7541 ${name}, which share a dynamic table`, () => {
      const decoder = new HpackDecoder(4096);
      const lists = blocks.map((text) => decoder.decode(hex(text)));
      const authority: Field = [':authority', 'www.example.com'];
      expect(lists[0]).to.deep.equal([[':method', 'GET'], [':scheme', 'http'], [':path', '/'], authority]);
      expect(lists[1]!.slice(3)).to.deep.equal([authority, ['cache-control', 'no-cache']]);
      expect(lists[2]!.slice(3)).to.deep.equal([authority, ['custom-key', 'custom-value']]);
      expect(decoder.tableBytes).to.equal(164);
    });
  }

  it('evicts the oldest entries, and empties the table for one that is too large (RFC 7541 §4.4)', () => {
    const decoder = new HpackDecoder(65_536);
    const field = (name: string, value: string): Buffer => {
      const plain = new HpackEncoder().encode([[name, value]]).subarray(1);
      return Buffer.concat([Buffer.from([0x40]), plain.subarray(1)]);
    };
    decoder.decode(Buffer.concat([field('aa', '1'), field('bb', 'x'.repeat(3990))]));
    expect(decoder.tableBytes).to.equal(2 + 3990 + 32 + 2 + 1 + 32);
    decoder.decode(field('cc', 'y'.repeat(100)));
    expect(decoder.decode(hex('be'))).to.deep.equal([['cc', 'y'.repeat(100)]]);
    expect(codeOf(() => decoder.decode(hex('bf')))).to.equal(9);
    decoder.decode(field('dd', 'z'.repeat(5000)));
    expect(decoder.tableBytes).to.equal(0);
  });

  it('follows size updates, and refuses larger ones than were allowed or late ones (RFC 7541 §4.2, §6.3)', () => {
    const decoder = new HpackDecoder(4096);
    decoder.decode(hex('400a637573746f6d2d6b65790d637573746f6d2d686561646572'));
    decoder.decode(hex('20 82'));
    expect(decoder.tableBytes).to.equal(0);
    decoder.decode(hex('20 3fe11f 82'));
    expect(codeOf(() => new HpackDecoder(4096).decode(hex('3fe21f')))).to.equal(9);
    expect(codeOf(() => new HpackDecoder(4096).decode(hex('8220')))).to.equal(9);
  });

  it('ends the session for whatever cannot be decoded', () => {
    const bad = {
      'index 0': '80',
      'an index beyond the tables': 'be',
      'a huge index': 'ffffffff7f',
      'an integer without end': 'ff8080808080808000',
      'a truncated integer': 'ff',
      'a truncated name': '4005 6162',
      'a missing value': '4001 61',
      'a string longer than the block': '0001 61 7fffff7f',
      'EOS in a string': '0001 61 84 ffffffff',
      'Huffman padding with zeros': '0001 61 81 18',
      'Huffman padding of a whole octet': '0001 61 82 1fff',
    };
    for (const [what, text] of Object.entries(bad)) {
      expect(
        codeOf(() => new HpackDecoder(4096).decode(hex(text))),
        what,
      ).to.equal(9);
    }
  });

  it('stops at a header list that is too large, however small its block is', () => {
    const bomb = new HpackDecoder(16_384);
    bomb.decode(Buffer.concat([hex('4001 61 7f8101'), Buffer.alloc(256, 0x62)]));
    expect(codeOf(() => bomb.decode(Buffer.alloc(1000, 0xbe)))).to.equal(11);
  });

  it('refuses a Huffman string that is too long once decoded', () => {
    // 4095 octets of the code of '0', which has five bits.
    const block = Buffer.concat([hex('0001 61 ff 80 1f'), Buffer.alloc(4095)]);
    expect(new HpackDecoder(10_000).decode(block)[0]![1]).to.equal('0'.repeat(6552));
    expect(codeOf(() => new HpackDecoder(1000).decode(block))).to.equal(9);
  });

  it('decodes the Huffman strings of RFC 7541 C.4 and C.6', () => {
    expect(decodeHuffman(hex('f1e3c2e5f23a6ba0ab90f4ff'), 0, 12, 100)).to.equal('www.example.com');
    expect(decodeHuffman(hex('d07abe941054d444a8200595040b8166e082a62d1bff'), 0, 22, 100)).to.equal(
      'Mon, 21 Oct 2013 20:13:21 GMT',
    );
  });
});

describe('HPACK encoding', () => {
  it('is decoded to the same, and puts nothing into the table of the other side', () => {
    const fields: Field[] = [
      [':method', 'CONNECT'],
      [':authority', 'a.example:8080'],
      [':status', '200'],
      ['baggage', 'k='.repeat(300)],
      ['x-latin', 'h\xe9'],
    ];
    const decoder = new HpackDecoder(65_536);
    const encoder = new HpackEncoder();
    expect(decoder.decode(encoder.encode(fields))).to.deep.equal(fields);
    expect(decoder.decode(encoder.encode(fields))).to.deep.equal(fields);
    expect(decoder.tableBytes).to.equal(0);
  });

  it('says an empty table in its first block and after each change by the peer (RFC 7541 §4.2)', () => {
    const encoder = new HpackEncoder();
    expect(encoder.encode([[':status', '200']])).to.deep.equal(hex('2088'));
    expect(encoder.encode([[':status', '200']])).to.deep.equal(hex('88'));
    encoder.tableSizeChanged();
    expect(encoder.encode([[':status', '200']])).to.deep.equal(hex('2088'));
  });
});
