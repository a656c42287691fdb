"""Row-level security, same-tenant foreign keys and audit triggers as constraints, and two common constraints.

As members of `Meta.constraints` they are detected, ordered and reversed by `makemigrations` like any other constraint.
The base models (`config.tenancy.models`) add them to every concrete model.
"""

from collections.abc import Iterable
from inspect import signature
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from config.db.session import APP, IDENTITY, OPERATOR, READER

OWNER = "conclave_owner"
TENANT_CLAUSE = "tenant_id = (SELECT conclave_current_tenant())"
USER_CLAUSE = "user_id = (SELECT conclave_current_user())"
# Work of the tenant for no user: jobs and commands that open `tenant_scope` without one.
SYSTEM_CLAUSE = "(SELECT conclave_current_user()) IS NULL"
# The role alone proves nothing: any statement may change it to another one of its login.
PLATFORM_CLAUSE = "(SELECT conclave_platform_scope())"
IDENTITY_CLAUSE = "(SELECT conclave_identity_scope())"

ModelType = type[models.Model]


class ReferenceSQL(str):
    """SQL that references another table and must run after its unique constraints."""

    __slots__ = ()


class BaseDatabaseConstraint(models.BaseConstraint):
    """Base of constraints whose SQL is deferred until all referenced tables exist."""

    def _create(self, model: ModelType, editor: BaseDatabaseSchemaEditor) -> str:
        raise NotImplementedError

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        schema_editor.deferred_sql.append(self._create(model, schema_editor))  # type: ignore[attr-defined]

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        # Also deferred: what it references may be added later in the same migration.
        self.constraint_sql(model, schema_editor)

    def validate(self, model: Any, instance: Any, exclude: Any = None, using: str = DEFAULT_DB_ALIAS) -> None:
        """Do nothing: the database enforces the constraint unless a subclass overrides this."""

    def deconstruct(self) -> Any:
        """Return the arguments that differ from their defaults, each an attribute of the same name."""
        path, args, kwargs = super().deconstruct()
        for name, parameter in signature(type(self)).parameters.items():
            if parameter.default != (value := getattr(self, name)):
                kwargs[name] = value
        return path, args, kwargs

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.deconstruct() == other.deconstruct()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash(self.name)


def _column_list(columns: Iterable[str]) -> str:
    return " (" + ", ".join(f'"{column}"' for column in columns) + ")"


def _grant_statements(table: str, role: str, verbs: str, **columns: Iterable[str]) -> list[str]:
    """Return GRANT statements. `select` and `update` restrict those privileges to columns."""
    wanted = [verb.strip() for verb in verbs.split(",") if verb.strip()]
    partly = [verb for verb in wanted if columns.get(verb.lower())]
    whole = [verb for verb in wanted if verb not in partly]
    lines = [f"GRANT {', '.join(whole)} ON {table} TO {role}"] if whole else []
    lines += [f"GRANT {verb}{_column_list(columns[verb.lower()])} ON {table} TO {role}" for verb in partly]
    return lines


class RowLevelSecurity(BaseDatabaseConstraint):
    """Enabled and forced row-level security with policies and grants for each database role.

    Args:
        read: SQL condition of the rows that `conclave_app` may see, the tenant's rows by default.
        write: SQL condition of the rows that `conclave_app` may insert or write, `read` by default.
        owned: SQL condition of the rows that `conclave_app` may update and delete, `write` by default.
        deletable: SQL condition of the rows that `conclave_app` may delete, `owned` by default.
        verbs: Privileges of `conclave_app`, out of SELECT, INSERT, UPDATE, DELETE.
        columns: If given, the only columns that `conclave_app` may update.
        operator: Privileges of `conclave_operator`, all four by default.
        operator_columns: If given, the only columns that `conclave_operator` may update.
        hidden: Columns that `conclave_reader` may not read, such as hashes of secrets.
        withheld: Columns that `conclave_app` may not read either. Their fields are `WithheldMixin` fields.
        secret: Columns that only the owner may read, such as password hashes.
        identity: Privileges of `conclave_identity` (sign-in, sign-up), none by default.
        identity_columns: If given, the only columns that `conclave_identity` may update.
        identity_insert: SQL condition of the rows that `conclave_identity` may insert, beyond `identity_rows`.
        identity_rows: SQL condition of the rows visible to `conclave_identity`, all by default.
        owner: The role that owns the table. Data migrations need a policy for it.
        owner_verbs: Commands allowed to the owner. An append-only table omits UPDATE and DELETE.
    """

    DEFAULTS: dict[str, Any] = {
        "read": TENANT_CLAUSE,
        "write": "",
        "owned": "",
        "deletable": "",
        "verbs": "SELECT, INSERT, UPDATE, DELETE",
        "columns": (),
        "identity": "",
        "identity_rows": "",
        "identity_columns": (),
        "identity_insert": "",
        "operator": "SELECT, INSERT, UPDATE, DELETE",
        "operator_columns": (),
        "hidden": (),
        "withheld": (),
        "secret": (),
        "owner": OWNER,
        "owner_verbs": "ALL",
    }

    def __init__(self, *, name: str, **options: Any) -> None:
        super().__init__(name=name)
        if unknown := options.keys() - self.DEFAULTS.keys():
            raise TypeError(f"RowLevelSecurity has no option {', '.join(sorted(unknown))}")
        self.options = self.DEFAULTS | options

    def deconstruct(self) -> Any:
        path, args, kwargs = models.BaseConstraint.deconstruct(self)
        kwargs |= {key: value for key, value in self.options.items() if value != self.DEFAULTS[key]}
        return path, args, kwargs

    def _policy(self, table: str, role: str, verb: str, using: str, check: str) -> str:
        short = role.removeprefix("conclave_")
        name = f'"{self.name}_{short}_{verb.lower()}"'
        clauses = "" if verb == "INSERT" else f" USING ({using})"
        if verb in ("INSERT", "UPDATE", "ALL"):
            clauses += f" WITH CHECK ({check})"
        return f"CREATE POLICY {name} ON {table} FOR {verb} TO {role}{clauses}"

    def _grants(self, table: str, model: ModelType) -> list[str]:
        options = self.options
        shown = [str(field.column) for field in model._meta.local_concrete_fields]
        open_columns = [name for name in shown if name not in options["withheld"]]
        selected = open_columns if options["withheld"] else ()
        lines = _grant_statements(table, APP, options["verbs"], update=options["columns"], select=selected)
        selected = [name for name in shown if name not in options["secret"]] if options["secret"] else ()
        for role, key in ((OPERATOR, "operator"), (IDENTITY, "identity")):
            columns = {"select": selected, "update": options[f"{key}_columns"]}
            lines += _grant_statements(table, role, options[key], **columns)
        if "SELECT" in options["verbs"]:
            lines += [f"GRANT SELECT{self._shown(shown)} ON {table} TO {READER}"]
        return lines

    def _shown(self, columns: Iterable[str]) -> str:
        hidden = self.options["hidden"]
        return _column_list(name for name in columns if name not in hidden) if hidden else ""

    def column_added(self, table: str, column: str) -> str:
        """Return SQL that grants SELECT on a new column to roles with column-level grants."""
        options = self.options
        if "SELECT" not in options["verbs"]:
            return ""
        partly = {READER: options["hidden"], APP: options["withheld"], OPERATOR: options["secret"]}
        if options["identity"]:
            partly[IDENTITY] = options["secret"]
        roles = [role for role, names in partly.items() if names and column not in names]
        return f"GRANT SELECT{_column_list([column])} ON {table} TO {', '.join(roles)}" if roles else ""

    def _policies(self, table: str) -> list[str]:
        options = self.options
        read, write = options["read"], options["write"] or options["read"]
        lines = [self._policy(table, READER, "SELECT", read, read)]
        owned = options["owned"] or write
        deletable = options["deletable"] or owned
        if read == write == owned == deletable:
            lines.append(self._policy(table, APP, "ALL", read, write))
        else:
            lines.append(self._policy(table, APP, "SELECT", read, read))
            lines += [self._policy(table, APP, verb, owned, write) for verb in ("INSERT", "UPDATE")]
            lines.append(self._policy(table, APP, "DELETE", deletable, deletable))
        lines.append(self._policy(table, OPERATOR, "ALL", PLATFORM_CLAUSE, PLATFORM_CLAUSE))
        for verb in options["owner_verbs"].split(","):
            lines.append(self._policy(table, options["owner"], verb.strip(), "true", "true"))
        if options["identity"]:
            rows = " AND ".join(filter(None, (options["identity_rows"], IDENTITY_CLAUSE)))
            lines.append(self._policy(table, IDENTITY, "ALL", rows, rows))
        if condition := options["identity_insert"]:
            name = f'"{self.name}_identity_insert"'
            restrict = f"CREATE POLICY {name} ON {table} AS RESTRICTIVE FOR INSERT TO {IDENTITY}"
            lines.append(f"{restrict} WITH CHECK ({condition})")
        return lines

    def _create(self, model: ModelType, editor: BaseDatabaseSchemaEditor) -> str:
        table = editor.quote_name(model._meta.db_table)
        lines = [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            *self._policies(table),
            *self._grants(table, model),
        ]
        return ";\n".join(lines)

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        table = schema_editor.quote_name(model._meta.db_table)
        drops = [f"DROP POLICY {line.split()[2]} ON {table}" for line in self._policies(table)]
        roles = f"{APP}, {OPERATOR}, {IDENTITY}, {READER}"
        return ";\n".join(
            [
                *drops,
                f"REVOKE ALL ON {table} FROM {roles}",
                f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
                f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
            ]
        )


class SameTenant(BaseDatabaseConstraint):
    """Composite foreign key (tenant_id, field) to (tenant_id, id) of the target.

    A plain foreign key accepts rows of other tenants and reveals whether an id exists. This one does neither. It is
    DEFERRABLE INITIALLY IMMEDIATE, so that the error is raised inside the view.

    Args:
        field: Name of a `ForeignKey(db_constraint=False)` on the model.
        on_delete: NO ACTION, RESTRICT, CASCADE or SET NULL (which nulls the reference, not the tenant).
        target: Label of the referenced model if it differs from the field's: `accounts.Membership` for users, so that
            a row can reference only members of its tenant.
        column: The target's column, referenced together with `tenant_id`.
    """

    def __init__(
        self, *, field: str, name: str, on_delete: str = "NO ACTION", target: str = "", column: str = "id"
    ) -> None:
        super().__init__(name=name)
        self.field = field
        self.on_delete = on_delete
        self.target = target
        self.column = column

    def _create(self, model: ModelType, editor: BaseDatabaseSchemaEditor) -> str:
        quote = editor.quote_name
        field = model._meta.get_field(self.field)
        if self.target:
            table = self.target.lower().replace(".", "_")
        else:
            table = field.related_model._meta.db_table  # type: ignore[union-attr]
        column = quote(field.column)  # type: ignore[union-attr,arg-type]
        rule = f"SET NULL ({column})" if self.on_delete == "SET NULL" else self.on_delete
        return ReferenceSQL(
            f"ALTER TABLE {quote(model._meta.db_table)} ADD CONSTRAINT {quote(self.name)}"
            f" FOREIGN KEY (tenant_id, {column}) REFERENCES {quote(table)} (tenant_id, {quote(self.column)})"
            f" ON DELETE {rule} DEFERRABLE INITIALLY IMMEDIATE"
        )

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        quote = schema_editor.quote_name
        return f"ALTER TABLE {quote(model._meta.db_table)} DROP CONSTRAINT {quote(self.name)}"

    def validate(self, model: Any, instance: Any, exclude: Any = None, using: str = DEFAULT_DB_ALIAS) -> None:
        if exclude and self.field in exclude:
            return
        field = model._meta.get_field(self.field)
        value = getattr(instance, field.attname)
        if value is None:
            return
        target = apps.get_model(self.target) if self.target else field.related_model
        rows = target._base_manager.using(using)
        wanted = {self.column: value, "tenant_id": instance.tenant_id}
        if not rows.filter(**wanted).exists():
            raise ValidationError({self.field: "This object does not exist."}, code="invalid")


class AuditTrigger(BaseDatabaseConstraint):
    """AFTER triggers that write an audit row for each inserted, updated or deleted row.

    Args:
        label: Resource type in the log, such as `agents.agent`.
        redact: Columns whose changes are logged without their values.
        omit: Columns that are not logged at all (large or derived ones).
        level: `row`, or `statement` for tables with bulk writes.
    """

    def __init__(
        self, *, name: str, label: str, redact: Any = (), omit: Any = (), level: str = "row"
    ) -> None:
        super().__init__(name=name)
        self.label = label
        self.redact = tuple(redact)
        self.omit = tuple(omit)
        self.level = level

    def _names(self) -> dict[str, str]:
        if self.level == "row":
            return {"INSERT OR UPDATE OR DELETE": f'"{self.name}"'}
        return {verb: f'"{self.name}_{verb.lower()}"' for verb in ("INSERT", "UPDATE", "DELETE")}

    def _create(self, model: ModelType, editor: BaseDatabaseSchemaEditor) -> str:
        table = editor.quote_name(model._meta.db_table)
        arguments = f"'{self.label}', '{{{','.join(self.redact)}}}', '{{{','.join(self.omit)}}}'"
        tables = {
            "INSERT": "REFERENCING NEW TABLE AS new_rows",
            "UPDATE": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
            "DELETE": "REFERENCING OLD TABLE AS old_rows",
        }
        function = "conclave_audit_row" if self.level == "row" else "conclave_audit_statement"
        return ";\n".join(
            f"CREATE TRIGGER {name} AFTER {verb} ON {table} {tables.get(verb, '')}"
            f" FOR EACH {self.level.upper()} EXECUTE FUNCTION {function}({arguments})"
            for verb, name in self._names().items()
        )

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        table = schema_editor.quote_name(model._meta.db_table)
        return ";\n".join(f"DROP TRIGGER {name} ON {table}" for name in self._names().values())


class UpdatedAtTrigger(BaseDatabaseConstraint):
    """BEFORE triggers that set `updated_at` by the database's clock.

    It never precedes the creation time.
    """

    def __init__(self, *, name: str) -> None:
        super().__init__(name=name)

    def _create(self, model: ModelType, editor: BaseDatabaseSchemaEditor) -> str:
        table = editor.quote_name(model._meta.db_table)
        # Generated columns have no value yet in a BEFORE trigger.
        generated = isinstance(model._meta.get_field("created_at"), models.GeneratedField)
        created = "conclave_uuid_time(NEW.id)" if generated else "NEW.created_at"
        execute = "EXECUTE FUNCTION conclave_set_updated_at()"
        return (
            f'CREATE TRIGGER "{self.name}_update" BEFORE UPDATE ON {table} FOR EACH ROW {execute};\n'
            f'CREATE TRIGGER "{self.name}_insert" BEFORE INSERT ON {table} FOR EACH ROW'
            f" WHEN (NEW.updated_at < {created}) {execute}"
        )

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        table = schema_editor.quote_name(model._meta.db_table)
        return ";\n".join(f'DROP TRIGGER "{self.name}_{verb}" ON {table}' for verb in ("update", "insert"))


def choices_constraint(
    field: str, values: Iterable[str], *, name: str = "", message: str | None = None
) -> models.CheckConstraint:
    """Return the constraint that allows only `values` in a column."""
    return models.CheckConstraint(
        condition=models.Q(**{f"{field}__in": [*values]}),
        name=name or f"%(app_label)s_%(class)s_{field}_known",
        violation_error_message=message,
    )


def unique_per_tenant(
    *fields: str, suffix: str = "once", message: str, **options: Any
) -> models.UniqueConstraint:
    """Return the constraint `<app>_<model>_<suffix>`: each combination of values exists once per tenant."""
    return models.UniqueConstraint(
        fields=["tenant", *fields],
        name=f"%(app_label)s_%(class)s_{suffix}",
        violation_error_message=message,
        **options,
    )
