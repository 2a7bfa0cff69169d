/** ApiVersions: what this broker serves. Main only. The one API that is answered in any version, because it is how versions are agreed on. */
import { ApiKey, SERVED_APIS } from '../../protocol/api-versions.ts';
import { apiVersions } from '../../protocol/apis/18-api-versions.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { encodeResponseFrame } from '../../protocol/frame.ts';
import type { Request } from '../requests.ts';

const SOFTWARE_VERSION = 3;
/** Clients of version 3 and above name themselves; Kafka is strict about how. */
const SOFTWARE_PATTERN = /^[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?$/;

const SERVED = SERVED_APIS.map(({ key, min, max }) => ({ apiKey: key, minVersion: min, maxVersion: max }));
const OWN_RANGE = SERVED.filter(({ apiKey }) => apiKey === ApiKey.API_VERSIONS);

/** Answers with everything that is served. */
export function handleApiVersions(request: Request): void {
  const { apiVersion, correlationId } = request;
  const { clientSoftwareName, clientSoftwareVersion } = decodeRequest(
    apiVersions,
    apiVersion,
    request.bytes,
    request.bodyStart,
    request.bodyEnd,
  );
  const nameless =
    apiVersion >= SOFTWARE_VERSION && !(SOFTWARE_PATTERN.test(clientSoftwareName) && SOFTWARE_PATTERN.test(clientSoftwareVersion));
  const body = nameless ? { errorCode: ErrorCode.INVALID_REQUEST, apiKeys: [] } : { errorCode: ErrorCode.NONE, apiKeys: SERVED };
  request.respond([encodeResponseFrame(apiVersions, apiVersion, correlationId, body)]);
}

/** Answers a version nobody knows: version 0, which every client reads, with the range to choose from. */
export function respondUnsupportedVersion(request: Request): void {
  const body = { errorCode: ErrorCode.UNSUPPORTED_VERSION, apiKeys: OWN_RANGE };
  request.respond([encodeResponseFrame(apiVersions, 0, request.correlationId, body)]);
}
