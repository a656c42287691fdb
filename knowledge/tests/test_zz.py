from io import StringIO
from django.core.management import call_command
def test_x(tenant, capsys):
    out=StringIO(); call_command("rag_eval","benchmarks/data/docs",tenant=tenant.slug,stdout=out); print(out.getvalue())
