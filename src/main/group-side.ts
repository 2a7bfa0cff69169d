/** Puts the APIs of groups together: which handler serves which, and what the configuration says of groups. Main only. */
import type { BrokerConfig } from '../config/broker-config.ts';
import type { GroupSettings } from '../coordinator/group-settings.ts';
import { ApiKey } from '../protocol/api-versions.ts';
import type { GroupCoordinator } from './group-coordinator.ts';
import { offsetCommitHandler } from './handlers/08-offset-commit.ts';
import { offsetFetchHandler } from './handlers/09-offset-fetch.ts';
import { findCoordinatorHandler } from './handlers/10-find-coordinator.ts';
import { joinGroupHandler } from './handlers/11-join-group.ts';
import { heartbeatHandler } from './handlers/12-heartbeat.ts';
import { leaveGroupHandler } from './handlers/13-leave-group.ts';
import { syncGroupHandler } from './handlers/14-sync-group.ts';
import { describeGroupsHandler } from './handlers/15-describe-groups.ts';
import { listGroupsHandler } from './handlers/16-list-groups.ts';
import { deleteGroupsHandler } from './handlers/42-delete-groups.ts';
import { offsetDeleteHandler } from './handlers/47-offset-delete.ts';
import type { Ingress } from './ingress.ts';
import type { Router } from './router.ts';

export interface GroupSideParts {
  readonly ingress: Pick<Ingress, 'handle'>;
  readonly coordinator: GroupCoordinator;
  readonly router: Router;
  readonly broker: BrokerConfig;
}

/** Registers the handlers. */
export function handleGroups({ ingress, coordinator, router, broker }: GroupSideParts): void {
  ingress.handle(ApiKey.OFFSET_COMMIT, offsetCommitHandler(coordinator, router));
  ingress.handle(ApiKey.OFFSET_FETCH, offsetFetchHandler(coordinator, router));
  ingress.handle(ApiKey.FIND_COORDINATOR, findCoordinatorHandler(coordinator, broker));
  ingress.handle(ApiKey.JOIN_GROUP, joinGroupHandler(coordinator));
  ingress.handle(ApiKey.HEARTBEAT, heartbeatHandler(coordinator));
  ingress.handle(ApiKey.LEAVE_GROUP, leaveGroupHandler(coordinator));
  ingress.handle(ApiKey.SYNC_GROUP, syncGroupHandler(coordinator));
  ingress.handle(ApiKey.DESCRIBE_GROUPS, describeGroupsHandler(coordinator));
  ingress.handle(ApiKey.LIST_GROUPS, listGroupsHandler(coordinator));
  ingress.handle(ApiKey.DELETE_GROUPS, deleteGroupsHandler(coordinator));
  ingress.handle(ApiKey.OFFSET_DELETE, offsetDeleteHandler(coordinator, router));
}

/** What the coordinator takes from the broker's settings. */
export function groupSettingsOf(config: BrokerConfig): GroupSettings {
  return {
    initialRebalanceDelayMs: config.groupInitialRebalanceDelayMs,
    sessionTimeoutMsMin: config.groupSessionTimeoutMsMin,
    sessionTimeoutMsMax: config.groupSessionTimeoutMsMax,
    groupSizeMax: config.groupSizeMax,
    offsetMetadataBytesMax: config.offsetMetadataBytesMax,
    offsetsRetentionMs: config.offsetsRetentionMs,
  };
}
