"""A Spark for one run of a Glue job: executors are processes of their own, as they are on Glue.

The master `local-cluster` starts real workers and executors on this machine; what it writes stays in the run's folder.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

SCALA = "2.12"
MASTER = "local-cluster[{executors},1,{memory}]"
# A run moves a list of names through the JVM: it is to start fast, and to leave the cores to Python.
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# What a distribution of Spark has to hold so that it can start executors.
PARTS = ("bin", "jars", "python", "sbin")
# The driver's own output is the job's log: what Spark says stands beside it.
LOG4J = """\
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
appender.file.type = File
appender.file.name = file
appender.file.fileName = {folder}/spark.log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{HH:mm:ss.SSS}} %p %c{{1}}: %m%n%ex
"""


def prepare(folder: Path, executors: int, memory_mib: int) -> dict[str, str]:
    """Makes a Spark in `folder`; the variables that the driver needs, and hands to its executors.

    executors: how many there are, with one core each.
    memory_mib: heap of each; Python needs its own beside it.
    """
    home, settings = folder / "home", folder / "conf"
    home.mkdir(parents=True)
    settings.mkdir()
    for part in PARTS:
        (home / part).symlink_to(_installed() / part)
    (settings / "log4j2.properties").write_text(LOG4J.format(folder=folder))
    values = _configuration(folder, executors, memory_mib)
    (settings / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in values.items()))
    return {
        # Workers keep the folders of their executors below the home.
        "SPARK_HOME": str(home),
        "SPARK_CONF_DIR": str(settings),
        "SPARK_SCALA_VERSION": SCALA,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder / "scratch"),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": "pyspark-shell",
        **{name: os.environ[name] for name in ("JAVA_HOME",) if name in os.environ},
    }


def _configuration(folder: Path, executors: int, memory_mib: int) -> dict[str, str]:
    return {
        "spark.master": MASTER.format(executors=executors, memory=memory_mib),
        "spark.executor.memory": f"{memory_mib}m",
        "spark.driver.memory": "512m",
        "spark.driver.extraJavaOptions": JAVA,
        "spark.executor.extraJavaOptions": JAVA,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.eventLog.enabled": "false",
        # As on YARN, which Glue runs on; a local master would give up at the first failure.
        "spark.task.maxFailures": "4",
        "spark.executorEnv.PYTHONDONTWRITEBYTECODE": "1",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }


def _installed() -> Path:
    found = find_spec("pyspark")
    if found is None or found.origin is None:
        raise FileNotFoundError("pyspark is not in the environment that runs the twin")
    return Path(found.origin).parent
