from importlib.metadata import EntryPoint

import pytest

import mmfeat.plugins
from mmfeat import PluginError
from skesl import MethodError, find_method, method_names
from skesl.methods.skesl import Skesl
from skesl.methods.text_only import TextOnly


@pytest.fixture
def installed(monkeypatch):
    """Pretend that distributions with these entry points are installed."""

    def install(**values):
        entries = [EntryPoint(name, value, "skesl.methods") for name, value in values.items()]
        monkeypatch.setattr(mmfeat.plugins, "entry_points", lambda *, group: [e for e in entries if e.group == group])

    return install


def test_built_in_methods_come_first(installed):
    installed(louder="skesl.methods.skesl:Skesl")

    assert method_names() == ("skesl", "text_only", "self_mm", "tam_ulag", "univa", "louder")
    assert find_method("skesl") is Skesl
    assert find_method("text_only") is TextOnly


def test_a_plugin_s_method_is_found_by_its_name(installed):
    installed(louder="skesl.methods.skesl:Skesl")

    assert find_method("louder") is Skesl


def test_listing_names_imports_no_plugin(installed):
    installed(broken="no_such_module:Method")

    assert "broken" in method_names()


def test_a_plugin_that_does_not_import_says_why(installed):
    installed(broken="no_such_module:Method")

    with pytest.raises(PluginError, match=r"plugin 'broken' of .*does not import: ModuleNotFoundError.*no_such_module"):
        find_method("broken")


@pytest.mark.parametrize("value", ["skesl.methods.skesl:SkeslConfig", "skesl.nn.pooling:masked_mean"])
def test_an_object_that_is_no_method_is_refused(installed, value):
    installed(strange=value)

    with pytest.raises(MethodError, match=f"method 'strange': {value} is not a subclass of skesl.Method"):
        find_method("strange")


def test_a_plugin_may_not_claim_a_built_in_name(installed):
    installed(skesl="elsewhere:Skesl")

    with pytest.raises(PluginError, match="claims the built-in name 'skesl'; rename the plugin or uninstall it"):
        method_names()


def test_two_plugins_may_not_claim_one_name(monkeypatch):
    entries = [EntryPoint("louder", value, "skesl.methods") for value in ("one:Louder", "two:Louder")]
    monkeypatch.setattr(mmfeat.plugins, "entry_points", lambda *, group: entries)

    with pytest.raises(PluginError, match=r"the name 'louder' is claimed by .*one:Louder.* and by .*two:Louder"):
        find_method("louder")


def test_an_unknown_method_is_refused_with_the_known_ones(installed):
    installed(louder="skesl.methods.skesl:Skesl")

    with pytest.raises(
        MethodError, match="unknown method 'vilt'; known: skesl, text_only, self_mm, tam_ulag, univa, louder"
    ):
        find_method("vilt")
