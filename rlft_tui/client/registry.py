"""The calls about models beyond their rows."""

from __future__ import annotations

from rlft_tui.client.transport import Transport
from rlft_tui.evaluations.policy_versions import PolicyVersion
from rlft_tui.models.lineage import Node
from rlft_tui.models.model import Model
from rlft_tui.models.model_files import DiskUse
from rlft_tui.models.removal import Removal


class ModelRegistry(Transport):
    """Lineage, remarks, what models take, and their removal."""

    def lineage(self, model: str) -> Node:
        """The model, its children what it was made from, down to the labels."""
        return self._get("/registry/lineage", Node, name=model)

    def remark_model(
        self,
        model: str,
        *,
        note: str | None = None,
        add_tags: tuple[str, ...] = (),
        drop_tags: tuple[str, ...] = (),
    ) -> Model:
        """Change what people say of a model."""
        said = {"name": model, "note": note, "add_tags": add_tags, "drop_tags": drop_tags}
        return self._post("/registry/remarks", Model, said)

    def removal(self, model: str) -> Removal:
        """What its removal would do, and what still needs it."""
        return self._get("/registry/removal", Removal, name=model)

    def remove_model(self, model: str) -> Removal:
        """Remove its row and its files below the workspace, both or none; ConflictError when it is needed."""
        return self._post("/registry/remove", Removal, name=model)

    def disk_use(self) -> DiskUse:
        """Sizes of all models on the disk and in memory."""
        return self._get("/registry/use", DiskUse)

    def versions(self, policy: str = "") -> tuple[PolicyVersion, ...]:
        """Versions of one policy or of all, newest first."""
        return self._get("/registry/versions", tuple[PolicyVersion, ...], policy=policy)
