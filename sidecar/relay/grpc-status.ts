/** What of a header list says that a call is gRPC and how it ended. Pure. It never reads a message. */

/** Also `application/grpc+proto` and `application/grpc-web`. */
const GRPC = 'application/grpc';
/** The specification has 0 to 16. A label takes nothing longer, whatever a server says. */
const STATUS = /^\d{1,2}$/;

export function isGrpcType(contentType: string): boolean {
  return contentType.startsWith(GRPC) || contentType.slice(0, GRPC.length).toLowerCase() === GRPC;
}

/** @returns the status as a label; empty when it is none */
export function grpcStatusOf(value: string): string {
  return STATUS.test(value) ? value : '';
}
