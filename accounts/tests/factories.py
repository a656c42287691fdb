"""Factories of accounts."""

import factory

from accounts.keys import mint
from accounts.models import ApiKey, Membership, Role, RoleAssignment, User
from config.testing.factories import HouseFactory, member_user
from config.testing.hats import as_identity

PASSWORD = "correct horse battery staple"


class UserFactory(HouseFactory):
    """A verified person; made by the identity hat, whatever scope is open."""

    email = factory.Sequence(lambda n: f"person{n}@example.org")
    first_name = "Person"
    last_name = factory.Sequence(str)
    is_verified = True
    password = PASSWORD

    class Meta:
        model = User

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        with as_identity():
            return model_class.objects.create_user(*args, **kwargs)


class MembershipFactory(HouseFactory):
    user = factory.SubFactory(UserFactory)
    role = "user"

    class Meta:
        model = Membership


class RoleFactory(HouseFactory):
    name = factory.Sequence(lambda n: f"Role {n}")
    slug = factory.Sequence(lambda n: f"role-{n}")
    permissions = factory.LazyFunction(lambda: ["agents:read"])

    class Meta:
        model = Role


class RoleAssignmentFactory(HouseFactory):
    user = factory.LazyFunction(member_user)
    role = factory.SubFactory(RoleFactory)

    class Meta:
        model = RoleAssignment


class ApiKeyFactory(HouseFactory):
    """A key with all of its person's rights; the secret to send is its attribute `secret`."""

    user = factory.LazyFunction(member_user)
    name = factory.Sequence(lambda n: f"Key {n}")
    scopes = factory.LazyFunction(lambda: ["*"])

    class Meta:
        model = ApiKey

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        minted = mint()
        kwargs |= {"key_hash": minted.digest, "key_prefix": minted.prefix}
        row = super()._create(model_class, *args, **kwargs)
        row.secret = minted.secret
        return row
