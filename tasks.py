"""The root of every command: `./inv NAME`, or `invoke NAME` in the activated environment."""

from invoke.collection import Collection

import backups.tasks
import harness.tasks
import perf.tasks
import security.sentry.tasks
import security.tasks

namespace = Collection(
    *harness.tasks.namespace.tasks.values(),
    *perf.tasks.namespace.tasks.values(),
    *perf.tasks.namespace.collections.values(),
)
namespace.add_collection(backups.tasks.namespace)
namespace.add_collection(security.tasks.namespace)
namespace.add_collection(security.sentry.tasks.namespace)
