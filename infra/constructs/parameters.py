"""CloudFormation parameters: the defaults of a stage that its users change without touching code."""

from aws_cdk import ArnFormat, CfnCondition, CfnParameter, Fn, Stack
from constructs import Construct

from infra.constructs.acknowledge import accept


class Parameters(Construct):
    """Parameters keep their plain names in the template; conditions tell which optional ones are set."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.input_max_parallelism = self._number("InputMaxParallelism", 30, "Most tables under way at once in one run")
        self.load_max_parallelism = self._number(
            "LoadMaxParallelism", 10, "Most targets that the scheduled load fills at once, of all runs together"
        )
        self.read_streams = self._number(
            "ReadStreams", 300, "Most BigQuery read streams that all tables of a run may have open at once"
        )
        self.copy_command_schedule = self._text(
            "CopyCommandSchedule", "rate(1 hour)", "When tables extracted in scheduled mode are copied"
        )
        self.initiate_schema_detection = self._choice(
            "InitiateSchemaDetection", "true", "true creates target tables, false uses pre-created ones and checks them"
        )
        self.redshift_iam_role_arn = self._text("RedshiftIAMRoleARN", "", "Role that Redshift assumes inside COPY")
        self.database_name = self._text("DatabaseName", "dev", "Redshift database")
        self.cluster = self._text("RedshiftClusterIdentifier", "", "Provisioned cluster, or empty")
        self.workgroup = self._text("RedshiftServerlessWorkgroup", "", "Serverless workgroup (its name), or empty")
        self.workgroup_id = self._text(
            "RedshiftServerlessWorkgroupId", "*", "Id at the end of the workgroup's ARN; narrows the permissions to it"
        )
        self.redshift_secret = self._secret_name(
            "RedshiftSecretName", "Secrets Manager secret of the database user, or empty for the functions' role"
        )
        self.db_user = self._text(
            "RedshiftDbUser", "", "Database user of the provisioned cluster, or empty for the functions' role"
        )
        accept(Stack.of(self), "CloudFormation-Validate::W2509", "The parameter holds the name of a secret, no secret.")
        self.secret = self._secret_name("BigQuerySecretName", "Secrets Manager secret with the BigQuery credentials")
        accept(Stack.of(self), "CloudFormation-Validate::W2509", "The parameter holds the name of a secret, no secret.")
        self.has_cluster = self._is_set("HasCluster", self.cluster)
        self.has_workgroup = self._is_set("HasWorkgroup", self.workgroup)
        self.has_secret = self._is_set("HasBigQuerySecret", self.secret)
        self.has_redshift_secret = self._is_set("HasRedshiftSecret", self.redshift_secret)
        self.has_db_user = self._is_set("HasRedshiftDbUser", self.db_user)

    def workgroup_arn(self) -> str:
        """ARN of the workgroup. It ends in an id, never in the name."""
        return self._arn("redshift-serverless", "workgroup", self.workgroup_id.value_as_string)

    def cluster_arn(self) -> str:
        """ARN of the provisioned cluster."""
        return self._arn("redshift", "cluster", self.cluster.value_as_string, ArnFormat.COLON_RESOURCE_NAME)

    def databases_arn(self) -> str:
        """ARN of all databases inside the provisioned cluster: the parameter is only the default of a config."""
        name = f"{self.cluster.value_as_string}/*"
        return self._arn("redshift", "dbname", name, ArnFormat.COLON_RESOURCE_NAME)

    def db_user_arn(self) -> str:
        """ARN of the database user of the provisioned cluster."""
        name = f"{self.cluster.value_as_string}/{self.db_user.value_as_string}"
        return self._arn("redshift", "dbuser", name, ArnFormat.COLON_RESOURCE_NAME)

    def secret_arn(self) -> str:
        """ARN of the stage's secret; Secrets Manager appends a dash and six characters to the name."""
        return self._secret(self.secret)

    def redshift_secret_arn(self) -> str:
        """ARN of the secret of the warehouse's user."""
        return self._secret(self.redshift_secret)

    def _secret(self, parameter: CfnParameter) -> str:
        return self._arn(
            "secretsmanager", "secret", f"{parameter.value_as_string}-??????", ArnFormat.COLON_RESOURCE_NAME
        )

    def _arn(self, service: str, resource: str, name: str, form: ArnFormat = ArnFormat.SLASH_RESOURCE_NAME) -> str:
        return Stack.of(self).format_arn(service=service, resource=resource, resource_name=name, arn_format=form)

    def _is_set(self, condition: str, parameter: CfnParameter) -> CfnCondition:
        return CfnCondition(
            Stack.of(self),
            condition,
            expression=Fn.condition_not(Fn.condition_equals(parameter.value_as_string, "")),
        )

    def _text(self, name: str, default: str, description: str) -> CfnParameter:
        return CfnParameter(Stack.of(self), name, type="String", default=default, description=description)

    def _secret_name(self, name: str, description: str) -> CfnParameter:
        """A name: the permissions are made of it, and an ARN inside another one would permit nothing."""
        secret = self._text(name, "", description)
        secret.allowed_pattern = "[^:]*"
        secret.constraint_description = "the name of a secret, not its ARN"
        return secret

    def _number(self, name: str, default: int, description: str) -> CfnParameter:
        return CfnParameter(
            Stack.of(self), name, type="Number", default=default, min_value=1, max_value=1000, description=description
        )

    def _choice(self, name: str, default: str, description: str) -> CfnParameter:
        return CfnParameter(
            Stack.of(self),
            name,
            type="String",
            default=default,
            allowed_values=["true", "false"],
            description=description,
        )
