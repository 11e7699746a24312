"""The error tree. Whether a step is tried again depends on two markers only, in Python and in ASL alike.

LakeshiftError
├── TerminalError                trying again cannot help
│   ├── ConfigInvalid            the config file is wrong; carries every problem with its JSON pointer
│   ├── OptionInvalid            an option or argument of a command is wrong; carries every problem with its name
│   ├── SchemaUnreadable         a file of schemas or SQL cannot be read
│   ├── SecretMissing            a named secret is absent or is not what it should be
│   ├── SourceNotFound           project, data set or table does not exist
│   ├── SourceForbidden          the credentials may not read it
│   ├── NothingMatches           an include pattern selects no table
│   ├── NameCollision            two sources would become one target
│   ├── TypeUnsupported          a column has no target type that holds all of its values
│   ├── ObjectUnsupported        a view, an external table, ...
│   ├── ValueUnsupported         a value that the target cannot hold
│   ├── SessionLost              the read session is gone; its unfinished chunks must be read again in a new one
│   ├── QuotaExhausted           the source refuses for its quota and does not say when to come back
│   ├── SchemaChanged            the source has changed in a way that the config does not let pass
│   ├── PlanDrifted              source or config are not those any more that a plan was made for
│   ├── QueryFailed              a query was refused or has failed, or would bill more than planned
│   ├── ScanLimitExceeded        questions to the source would scan more than they may; none was asked
│   ├── SplitMismatch            the plan is not the one that the ledger was made for
│   ├── TargetMissing            database, workgroup, cluster or pre-created table does not exist
│   ├── TargetMismatch           a pre-created table differs from the plan
│   ├── StatementFailed          the warehouse refused a statement
│   ├── StatementTooLarge        a statement or a batch is beyond what the warehouse takes
│   ├── ValidationFailed         the gate stays closed
│   ├── Superseded               a later snapshot of the same table is published already
│   ├── VersionExpired           what a rollback would bring back is not kept any more
│   ├── FilesMissing             files of a complete extract are missing from the lake, or not whole
│   ├── WrongState               the table has ended, or has not come to this step yet
│   ├── StoreRefused             the object store, the ledger or a secret may not be used
│   └── StageMissing             the stage is not deployed, or this account may not see it
└── TransientError               the same call may work a little later
    ├── LedgerConflict           another worker was here first; the step reads again what stands
    ├── SourceBusy
    ├── TargetBusy
    │   └── StillRunning
    └── StoreBusy
"""

from __future__ import annotations

from dataclasses import dataclass


class LakeshiftError(Exception):
    """What happened, where, and what to do next.

    Args:
        what: one sentence about what happened.
        where: table, column, chunk or statement; may be empty.
        next_step: what the reader can do about it; may be empty.
    """

    def __init__(self, what: str, *, where: str = "", next_step: str = "") -> None:
        self.what, self.where, self.next_step = what, where, next_step
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f" [{self.where}]" if self.where else ""
        return f"{self.what}{place}" + (f" Next: {self.next_step}" if self.next_step else "")

    @property
    def code(self) -> str:
        """The name of the error as reports and answers show it."""
        return type(self).__name__


class TerminalError(LakeshiftError):
    """Trying again cannot help; a person has to change something first."""


class TransientError(LakeshiftError):
    """The same call may work a little later; steps retry it with backoff."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a config file, or in the words of a command.

    Attributes:
        pointer: JSON pointer (RFC 6901) to the place, "" is the whole file; of a command the option or argument.
        message: what is wrong.
        found: the value found there, as JSON text; "" where nothing stands.
        allowed: the values or keys that are allowed, if they can be listed.
        nearest: the allowed value that looks most like the one found.
    """

    pointer: str
    message: str
    found: str = ""
    allowed: tuple[str, ...] = ()
    nearest: str = ""

    def __str__(self) -> str:
        parts = [f"{self.pointer or '/'}: {self.message}"]
        parts += [f"found {self.found}"] if self.found else []
        parts += [f"allowed: {', '.join(self.allowed)}"] if self.allowed else []
        parts += [f"did you mean {self.nearest}?"] if self.nearest else []
        return "; ".join(parts)


class ConfigInvalid(TerminalError):
    """The config file is wrong; nothing was started. `problems` holds every reason."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(
            f"The config file has {len(problems)} problem(s):\n{lines}", next_step="mend it, upload it again."
        )


class OptionInvalid(TerminalError):
    """An option or an argument of a command is wrong; nothing was done. The pointer of each problem is its name."""

    def __init__(self, problems: tuple[Problem, ...], next_step: str = "correct the command.") -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)), next_step=next_step)


class SchemaUnreadable(TerminalError):
    """A file that should hold a schema or DDL does not."""


class SecretMissing(TerminalError):
    """A named secret is absent, or is not what it should be."""


class SourceNotFound(TerminalError):
    """A project, data set or table does not exist."""


def no_run(run: str) -> SourceNotFound:
    """The error of a run that the stage does not know."""
    step = "give the id that `lakeshift submit` or `run` has printed, and the --stage that it was printed for."
    return SourceNotFound("there is no such run in this stage", where=run, next_step=step)


def no_table(run: str, table: str) -> SourceNotFound:
    """The error of a table that is not one of the run's."""
    step = "see the run's tables: lakeshift status RUN."
    return SourceNotFound(f"the run has no table {table}", where=run, next_step=step)


class SourceForbidden(TerminalError):
    """The credentials may not read what the config names."""


class NothingMatches(TerminalError):
    """An include pattern selects no table."""


class NameCollision(TerminalError):
    """Two sources would become one target."""


class TypeUnsupported(TerminalError):
    """A column has no target type that holds all of its values."""


class ObjectUnsupported(TerminalError):
    """The object is not a base table."""


class ValueUnsupported(TerminalError):
    """The data hold a value that the target cannot."""


class SessionLost(TerminalError):
    """The read session is gone; its unfinished chunks must be read again in a new one."""


class QuotaExhausted(TerminalError):
    """The source refuses for its quota and does not say when to come back."""


class SchemaChanged(TerminalError):
    """The source's columns have changed since the last publish, and the config lets no such change pass."""


class PlanDrifted(TerminalError):
    """Source or config are not those any more that the plan was made for; nothing was started."""


class QueryFailed(TerminalError):
    """A query to the source, of a view or of a question, was refused or has failed, or would bill more than it may."""


class ScanLimitExceeded(TerminalError):
    """What the source would have to scan for a comparison is more than the limit; nothing of it was asked or billed."""


class SplitMismatch(TerminalError):
    """A table's plan is not the one that its chunks in the ledger were made for."""


class TargetMissing(TerminalError):
    """The database, workgroup, cluster or pre-created table does not exist."""


class TargetMismatch(TerminalError):
    """A pre-created target table differs from the plan."""


class StatementFailed(TerminalError):
    """The warehouse refused a statement."""


class StatementTooLarge(TerminalError):
    """A statement, or a batch of them, is beyond what the warehouse takes; it was not sent."""


class ValidationFailed(TerminalError):
    """Source, lake and target differ; the table is not published."""


class Superseded(TerminalError):
    """A later snapshot of the same table is published already; an older one must not replace it."""


class VersionExpired(TerminalError):
    """What stood at a target before a run is not kept any more, so that the run cannot be taken back."""


class FilesMissing(TerminalError):
    """Files of a complete extract are missing from the lake, not whole, or lie where they cannot be read at once."""


class WrongState(TerminalError):
    """The table has ended (failed, refused), or has not come to this step yet."""


class StoreRefused(TerminalError):
    """The object store, the ledger or a secret may not be used: no credentials, no permission, no such place."""


class StageMissing(TerminalError):
    """The stage is not deployed in this account and region, or the credentials may not see it."""


class LedgerConflict(TransientError):
    """Another worker was here first; called again, the step reads what stands and goes on from there."""


class SourceBusy(TransientError):
    """The source is overloaded or the connection broke."""


class TargetBusy(TransientError):
    """The warehouse is overloaded, or two transactions met."""


class StillRunning(TargetBusy):
    """A question has not ended yet; it goes on, and is said again to get its answer."""


class StoreBusy(TransientError):
    """The object store or the ledger throttles."""
