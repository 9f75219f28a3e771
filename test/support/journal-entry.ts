/** Entries for tests of the journal: each with its own serial, everything else alike. */
import type { JournalEntry } from '../../citadel/ledger/journal.ts';

export function journalEntry(serial: string, more: Partial<JournalEntry> = {}): JournalEntry {
  return {
    serial,
    spiffeId: 'spiffe://cluster.local/ns/shop/sa/web',
    podUid: '6f9d2a40-3d1c-4a4e-9d0e-0d6a2f6f7b11',
    podName: 'web-7d9c5b8f6-abcde',
    namespace: 'shop',
    serviceAccount: 'web',
    nodeName: 'node-1',
    tokenId: '0b9e3f9e-1f57-4b6b-8a52-4f7a8a1d3c2e',
    keyFingerprint: 'a1'.repeat(32),
    certificateHash: 'b2'.repeat(32),
    notBefore: 1_790_000_000_000,
    notAfter: 1_790_003_600_000,
    recordedAt: 1_790_000_060_123,
    requestId: 'request-1',
    decision: 'issued',
    ...more,
  };
}
