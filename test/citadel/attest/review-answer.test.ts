import { expect } from 'chai';
import { readReview } from '../../../citadel/attest/review-answer.ts';
import { refusalOf } from '../../support/refusals.ts';

const EXTRA = 'authentication.kubernetes.io';

function answerWith(change: { status?: object; user?: object; extra?: object } = {}) {
  const extra = {
    [`${EXTRA}/credential-id`]: ['JTI=0f8fad5b'],
    [`${EXTRA}/node-name`]: ['node-1'],
    [`${EXTRA}/pod-name`]: ['web-1'],
    [`${EXTRA}/pod-uid`]: ['7c9e6679'],
    ...change.extra,
  };
  const user = {
    username: 'system:serviceaccount:shop:web',
    uid: '5f0c',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated'],
    extra,
    ...change.user,
  };
  return { kind: 'TokenReview', status: { authenticated: true, audiences: ['citadel'], user, ...change.status } };
}

const refused = (words: string) => ({ kind: 'TokenReview', status: { user: {}, error: words } });

describe('an answer of TokenReview', () => {
  it('tells the pod', () => {
    expect(readReview(answerWith(), 'citadel')).to.deep.equal({
      namespace: 'shop',
      serviceAccount: 'web',
      serviceAccountUid: '5f0c',
      podName: 'web-1',
      podUid: '7c9e6679',
      nodeName: 'node-1',
      tokenId: '0f8fad5b',
    });
  });

  it('does without node and token id, as before Kubernetes 1.30', () => {
    const answer = answerWith({ extra: { [`${EXTRA}/node-name`]: undefined, [`${EXTRA}/credential-id`]: undefined } });
    expect(readReview(answer, 'citadel')).to.include({ podUid: '7c9e6679', nodeName: undefined, tokenId: undefined });
  });

  for (const [fault, answer, code] of [
    [
      'no audience: it is good for the API server',
      answerWith({ status: { audiences: undefined } }),
      'token_audience_wrong',
    ],
    ['an empty list of audiences', answerWith({ status: { audiences: [] } }), 'token_audience_wrong'],
    ['another audience', answerWith({ status: { audiences: ['vault'] } }), 'token_audience_wrong'],
    [
      'ours and another audience',
      answerWith({ status: { audiences: ['citadel', 'vault'] } }),
      'token_audience_several',
    ],
    ['authenticated in words', answerWith({ status: { authenticated: 'true' } }), 'token_rejected'],
    ['authenticated and an error', answerWith({ status: { error: 'odd' } }), 'token_rejected'],
    [
      'authenticated and an error that is no text',
      answerWith({ status: { error: { code: 500 } } }),
      'token_review_unavailable',
    ],
    ['a list as its status', { kind: 'TokenReview', status: ['x'] }, 'token_rejected'],
    ['a human', answerWith({ user: { username: 'alice' } }), 'token_rejected'],
    ['a node', answerWith({ user: { username: 'system:node:node-1' } }), 'token_rejected'],
    [
      'a name with one part too many',
      answerWith({ user: { username: 'system:serviceaccount:shop:web:x' } }),
      'token_rejected',
    ],
    [
      'a name with one part too few',
      answerWith({ user: { username: 'system:serviceaccount:shop' } }),
      'token_rejected',
    ],
    ['a namespace with dots', answerWith({ user: { username: 'system:serviceaccount:shop.x:web' } }), 'token_rejected'],
    [
      'a service account that climbs',
      answerWith({ user: { username: 'system:serviceaccount:shop:../web' } }),
      'token_rejected',
    ],
    [
      'groups of another namespace',
      answerWith({ user: { groups: ['system:serviceaccounts', 'system:serviceaccounts:other'] } }),
      'token_rejected',
    ],
    ['no groups', answerWith({ user: { groups: undefined } }), 'token_rejected'],
    ['no UID', answerWith({ user: { uid: '' } }), 'token_rejected'],
    ['no pod name', answerWith({ extra: { [`${EXTRA}/pod-name`]: undefined } }), 'token_without_pod'],
    ['no pod UID', answerWith({ extra: { [`${EXTRA}/pod-uid`]: [] } }), 'token_without_pod'],
    ['two pods', answerWith({ extra: { [`${EXTRA}/pod-uid`]: ['a', 'b'] } }), 'token_without_pod'],
    [
      'a pod name that Kubernetes cannot give',
      answerWith({ extra: { [`${EXTRA}/pod-name`]: ['Web 1'] } }),
      'token_rejected',
    ],
    [
      'a node name that Kubernetes cannot give',
      answerWith({ extra: { [`${EXTRA}/node-name`]: ['node 1\nfake line'] } }),
      'token_rejected',
    ],
    ['two nodes', answerWith({ extra: { [`${EXTRA}/node-name`]: ['a', 'b'] } }), 'token_rejected'],
    ['no extra', answerWith({ user: { extra: undefined } }), 'token_without_pod'],
    ['no status', { kind: 'TokenReview' }, 'token_rejected'],
    ['another kind', { kind: 'Status', status: 'Failure' }, 'token_review_unavailable'],
    ['nothing', undefined, 'token_review_unavailable'],
    ['a page of a proxy', 'Bad Gateway', 'token_review_unavailable'],
    [
      'words: another audience',
      refused('[invalid bearer token, token audiences ["vault"] is invalid for the target audiences ["citadel"]]'),
      'token_audience_wrong',
    ],
    ['words: expired', refused('[invalid bearer token, service account token has expired]'), 'token_expired'],
    [
      'words: not yet valid',
      refused('[invalid bearer token, service account token is not valid yet]'),
      'token_not_yet_valid',
    ],
    [
      'words: invalidated',
      refused('[invalid bearer token, service account token has been invalidated]'),
      'token_pod_gone',
    ],
    [
      'words: the service account is gone',
      refused('[invalid bearer token, serviceaccounts "web" not found]'),
      'token_pod_gone',
    ],
    [
      'words: the service account is being deleted',
      refused('service account shop/web has been deleted'),
      'token_pod_gone',
    ],
    [
      'words: another pod of that name',
      refused('[invalid bearer token, pod UID (a) does not match service account pod ref claim (b)]'),
      'token_pod_gone',
    ],
    [
      'words: a bad signature',
      refused('[invalid bearer token, go-jose/go-jose: error in cryptographic primitive]'),
      'token_rejected',
    ],
    ['words: nobody’s token', refused('invalid bearer token'), 'token_rejected'],
  ] as const) {
    it(`with ${fault} is a refusal: ${code}`, async () => {
      expect((await refusalOf(() => readReview(answer, 'citadel'))).code).to.equal(code);
    });
  }

  it('never carries a piece of a token into our log', async () => {
    const words = `cannot parse eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.${'x'.repeat(80)}`;
    const { detail } = await refusalOf(() => readReview(refused(words), 'citadel'));
    expect(detail)
      .to.contain('[removed]')
      .and.not.match(/eyJ|x{20}/);
  });
});
