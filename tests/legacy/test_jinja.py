"""Chat templates: real ones have nothing odd, and no way to Python's classes goes unseen."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.errors import BudgetError, DamagedError, LegacyError
from safemodel.legacy import jinja
from safemodel.legacy.jinja import Kind

REAL = sorted((Path(__file__).parent / "chat_templates").glob("*.jinja"))

# Each leads to code or to memory that is none of the template's, in Jinja without a sandbox, or
# went through the sandbox of a released version.
GADGETS = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ messages['__class__']['__base__'] }}",
    "{{ messages|attr('__class__') }}",
    "{{ messages|attr('__cl' ~ 'ass__') }}",
    "{{ messages|attr('__cl' + 'ass__') }}",
    "{{ messages|attr(bos_token) }}",
    "{{ messages|attr(['__cl', 'ass__']|join) }}",
    "{{ messages['__cl' ~ 'ass__'] }}",
    "{{ messages['__cl' + suffix] }}",
    "{{ messages[('_' * 2) ~ 'class' ~ ('_' * 2)] }}",
    "{{ messages['%c%c%c' | format(95, 95, 99)] }}",
    "{{ messages['%c%cclass%c%c' % (95, 95, 95, 95)] }}",
    "{{ messages['{0}{0}class{0}{0}'.format('_')] }}",
    "{{ messages['ssalc'[::-1]] }}",
    "{{ messages['--class--'.replace('-', '_')] }}",
    "{{ messages['--class--' | replace('-', '_')] }}",
    "{{ messages['ssalc' | reverse] }}",
    "{{ messages['X' | lower] }}",
    "{{ messages[['__', 'class', '__'] | join] }}",
    "{{ messages[['__', 'class', '__'] | sum] }}",
    "{{ messages[''.join(['a', 'b'])] }}",
    "{{ messages[dict(__class__=1) | first] }}",
    "{{ messages[dict(clazz=1) | list | first] }}",
    "{{ messages['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "{{ messages|attr('\\u005f\\u005fclass\\u005f\\u005f') }}",
    "{{ messages[(() | select | string)[24] ~ 'x'] }}",
    "{{ messages[(lipsum | string)[18]] }}",
    "{{ messages[(lipsum | string | list)[18]] }}",
    "{% set x = (lipsum | string)[18] %}{{ messages[x ~ x ~ 'class'] }}",
    "{% set a = '__cl' %}{% set b = 'ass__' %}{{ messages[a ~ b] }}",
    "{% set a = '__cl' %}{% set b = 'ass__' %}{{ messages[a + b] }}",
    "{% set a, b = '__cl', 'ass__' %}{{ messages[a + b] }}",
    "{% set ns = namespace(a='__cl') %}{% set ns.b = ns.a + 'ass__' %}{{ messages[ns.b] }}",
    "{% set x %}__cl{% endset %}{{ messages[x + 'ass__'] }}",
    "{% set x %}x{% endset %}{{ messages[x] }}",
    "{% macro f() %}__cl{% endmacro %}{{ messages[f() ~ 'ass__'] }}",
    "{% macro f(x, y) %}{{ x[y] }}{% endmacro %}{{ f(messages, '__cl' ~ 'ass__') }}",
    "{% macro f(y='__cl' ~ 'ass__') %}{{ messages[y] }}{% endmacro %}{{ f() }}",
    "{% macro f(y) %}{{ messages[y] }}{% endmacro %}{{ f(y='a' ~ b) }}",
    "{% with x = 'a' ~ 'b' ~ c %}{{ messages[x] }}{% endwith %}",
    "{% for c in ['__cl', '__x'] %}{{ messages[c ~ 'ass__'] }}{% endfor %}",
    "{% for k, v in {'__cl': 1}.items() %}{{ messages[k ~ 'ass__'] }}{% endfor %}",
    "{% set d = {'a': '__cl'} %}{{ messages[d.a ~ 'ass__'] }}",
    "{{ messages[('__cl' if x else 'y') ~ 'ass__'] }}",
    "{{ messages[x or ('__cl' ~ y)] }}",
    "{{ messages[missing | default('__cl' ~ y)] }}",
    "{{ messages | map(attribute='__class__') | list }}",
    "{{ messages | map(attribute='x.__class__') | list }}",
    "{{ messages | map('attr', '__class__') | list }}",
    "{{ messages | map('attr', x) | list }}",
    "{{ messages | map(x) | list }}",
    "{{ messages | map(attribute='__cl' ~ 'ass__') | list }}",
    "{{ messages | selectattr('__class__') | list }}",
    "{{ messages | rejectattr('__class__.__base__', 'equalto', 1) | list }}",
    "{{ messages | groupby('__class__') }}",
    "{{ messages | groupby(attribute='__class__') }}",
    "{{ messages | sort(attribute='__class__') }}",
    "{{ messages | sum(attribute='__class__') }}",
    "{{ messages | unique(attribute='__class__') }}",
    "{{ messages | max(attribute='__class__') }}",
    "{{ messages | select('x' ~ y) }}",
    "{{ '{0.__class__}'.format(messages) }}",
    "{{ '{0[a].b}'.format(messages) }}",
    "{{ '{0.a}'.format_map(messages) }}",
    "{{ ''|attr('format') }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ self.__init__.__globals__ }}",
    "{{ joiner.__init__ }}",
    "{{ cycler.next }}",
    "{{ dict.mro() }}",
    "{{ dict['mro']() }}",
    "{{ range.x }}",
    "{{ (() | select).gi_frame.f_builtins }}",
    "{{ (() | select)['gi_' ~ 'frame'] }}",
    "{{ x.popen('id') }}",
    "{{ x['popen']('id') }}",
    "{{ x[y]('id') }}",
    "{{ x.system('id') }}",
    "{{ __builtins__ }}",
    "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
    "{% if messages.__class__ %}{% endif %}",
    "{% for x in messages.__class__ %}{% endfor %}",
    "{% for x in y if x.__class__ %}{% endfor %}",
    "{% macro f(x=messages.__class__) %}{% endmacro %}",
    "{% call(x) f(y.__class__) %}{% endcall %}",
    "{% filter attr('__class__') %}x{% endfilter %}",
    "{% filter map(attribute='__class__') %}x{% endfilter %}",
    "{% set x = y.__class__ %}",
    "{% block a %}{{ x.__class__ }}{% endblock %}",
    "{% generation %}{{ x.__class__ }}{% endgeneration %}",
    "{% do x.__class__ %}",
    "{% with x = y.__class__ %}{% endwith %}",
    "{{ x[y.__class__:] }}",
    "{{ f(**y.__class__) }}",
    "{{ {'a': y.__class__} }}",
    "{{ 1 if y.__class__ else 2 }}",
    "{{ y is sameas y.__class__ }}",
    "{{ -y.__class__ ** 2 }}",
    "{{ messages[bos_token] }}",
    "{{ messages[additional_special_tokens[0]] }}",
    "{{ messages[strftime_now('a')] }}",
    "{{ [messages] | map('map', 'attr', '__cl' ~ 'ass__') }}",
    "{{ [messages] | map('groupby', '__cl' ~ 'ass__') }}",
    "{% for k in ['__dir__'] %}{{ messages[k] }}{% endfor %}",
    "{% for k in ['_TemplateReference__context'] %}{{ messages[k] }}{% endfor %}",
    "{% for k in ['__cl'] %}{{ messages[loop.cycle('__cl', 'x') ~ 'ass__'] }}{% endfor %}",
    "{% macro f(y) %}{{ messages[y] }}{% endmacro %}{{ f(*['__cl' ~ x]) }}",
    "{% macro f() %}{{ messages[varargs[0]] }}{% endmacro %}{{ f('__cl' ~ x) }}",
    "{% macro f() %}{% for k in kwargs.values() %}{{ messages[k] }}{% endfor %}{% endmacro %}"
    "{{ f(a='__cl' ~ x) }}",
    "{% macro f(y) %}{{ messages[y] }}{% endmacro %}{% set g = f %}{{ g('__cl' ~ x) }}",
    "{% macro f() %}{{ caller('__cl' ~ x) }}{% endmacro %}{% call(y) f() %}{{ z[y] }}{% endcall %}",
    "{% for y in z recursive %}{{ messages[y] }}{{ loop(['__cl' ~ x]) }}{% endfor %}",
    "{% macro f(__class__) %}{{ messages[f.arguments[0]] }}{% endmacro %}",
]
IMPORTS = [
    "{% include '/etc/passwd' %}",
    "{% include x %}",
    "{% import 'x' as y %}",
    "{% from 'x' import y %}",
    "{% extends 'x' %}",
]
EXPENSIVE = [
    "{% for i in range(10 ** 9) %}{% endfor %}",
    "{% for i in range(1000000000) %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
    "{% set n = 99999999 %}{{ range(n) | list }}",
    "{{ 'a' * 1000000000 }}",
    "{{ 2 ** 64 ** 64 ** 64 }}",
    "{{ 10 ** 10000000 }}",
    "{{ 9 ** x }}",
    "{{ 'a'.center(1000000000) }}",
    "{{ 'a' | center(1000000000) }}",
    "{{ '%999999999d' | format(1) }}",
    "{{ '{:999999999}'.format(1) }}",
    "{% set ns.x = ns.x ~ ns.x %}",
    "{% set x = x + x %}",
]
UNKNOWN = [
    "{{ fetch('http://example.org') }}",
    "{{ lipsum() }}",
    "{{ config }}",
    "{{ request.args }}",
    "{{ messages | shell }}",
    "{{ messages is suspicious }}",
    "{{ messages.explode() }}",
    "{{ x()() }}",
    "{% set range = x %}{{ range(1) }}",
    "{{ messages | map('shell') }}",
    "{{ x.format(y) }}",
    "{{ messages | attr('role') }}",
    "{{ messages | map(*x) }}",
]
BROKEN = ["{% if %}", "{{ 'a }}", "{% for x in y %}", "{{ " + "9" * 5000 + " }}", "{% shell %}"]


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_real_templates_have_nothing_odd(path: Path) -> None:
    found = jinja.read(path.read_text(encoding="utf-8"))
    assert found.oddities == ()
    assert found.statements > 3
    assert found.variables & {"messages", "bos_token"}


@pytest.mark.parametrize("text", GADGETS)
def test_gadgets(text: str) -> None:
    kinds = {oddity.kind for oddity in jinja.read(text).oddities}
    assert kinds & {Kind.GADGET, Kind.COMPUTED}


@pytest.mark.parametrize("text", GADGETS[::7])
def test_gadgets_deep_in_a_real_template(text: str) -> None:
    real = (Path(__file__).parent / "chat_templates" / "qwen3.jinja").read_text()
    inside = real.replace("{{- tool_call.name }}", text)
    assert inside != real
    assert len(jinja.read(inside).oddities) == len(jinja.read(text).oddities)


@pytest.mark.parametrize(
    ("text", "kind"),
    [(text, Kind.IMPORT) for text in IMPORTS]
    + [(text, Kind.EXPENSIVE) for text in EXPENSIVE]
    + [(text, Kind.UNKNOWN) for text in UNKNOWN],
)
def test_other_oddities(text: str, kind: Kind) -> None:
    assert kind in {oddity.kind for oddity in jinja.read(text).oddities}


@pytest.mark.parametrize(
    "text",
    [
        "{{ message['tool_' ~ kind] }}",
        "{{ messages[loop.index0 - 1] }}",
        "{{ messages[x | length - 1].role }}",
        "{{ {'a': 'b'}[message.role] }}",
        "{{ '{} and {:02d}'.format(a, b) }}",
        "{{ '%s: %d' | format(a, b) }}",
        "{{ param.format }}{{ param['format'] }}",
        "{{ messages | map(attribute='content') | join('_') }}",
        "{{ ['a', 'b'][i] }}",
        "{% set names = ['user', 'model'] %}{{ message[names[i]] }}",
        "{% set key = 'content' %}{{ message[key] }}",
        "{% for i in range(100) %}{% break %}{% continue %}{% endfor %}",
        "{{ 'x' * 3 }}",
        "{{ '<__media__>' }}<__class__>",
        "plain text",
        "",
    ],
)
def test_nothing_odd(text: str) -> None:
    assert jinja.read(text).oddities == ()


@pytest.mark.parametrize("text", BROKEN)
def test_broken(text: str) -> None:
    with pytest.raises(DamagedError):
        jinja.read(text)


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 5000 + ")" * 5000 + " }}",
        "{{ " + "[" * 20_000,
        "{{ " + "-" * 20_000 + "1 }}",
        "{{ " + "not " * 20_000 + "1 }}",
        "{% if x %}" * 3000 + "{% endif %}" * 3000,
        "{{ x" + ".a" * 20_000 + " }}",
        "{{ x" + "[0]" * 20_000 + " }}",
        "{{ x" + "|list" * 15_000 + " }}",
        "{{ x[1" + "+1" * 20_000 + "] }}",
        "{{ x['a'" + "~'a'" * 20_000 + "] }}",
        "{{ 2" + "**2" * 15_000 + " }}",
        "{{ x " + "if y else z " * 3000 + "}}",
        "{% set x = 'a' ~ x %}" * 10_000 + "{{ y[x] }}",
        "".join(f"{{% set x{i} = x{i + 1} %}}" for i in range(3000)) + "{{ y[x0] }}",
        "{#" * 100_000,
        "{{" * 100_000,
        "{{ 1 }}" + " " * 250_000 + "{{- 1 }}",
        "{{ " + " " * 250_000,
        "{{ '" + "\\" * 250_000,
        "{% raw %}" + "{% endra" * 20_000,
        "a\n" * 120_000,
        "{{ x.__class__ }}" * 15_000,
        "{% for i in range(9) %}" * 80 + "{% endfor %}" * 80,
    ],
    ids=range(23),
)
def test_hostile_shapes_end_soon(text: str) -> None:
    started = time.monotonic()
    with contextlib.suppress(LegacyError):
        jinja.read(text)
    assert time.monotonic() - started < 8


def test_too_long() -> None:
    with pytest.raises(BudgetError):
        jinja.read(" " * (jinja.MAX_SIZE + 1))


def test_oddities_are_bounded_and_in_order() -> None:
    found = jinja.read("\n{{ x.__class__ }}" * 5000).oddities
    assert len(found) == jinja.MAX_ODDITIES
    assert [oddity.line for oddity in found] == sorted(oddity.line for oddity in found)


PIECES = (
    "{{ }} {% %} {# #} - if for in set x y . [ ] ( ) | ~ + 'a' 'b' \" 1 endif endfor macro f "
    "endmacro attr format map \\ , = * ** not is defined namespace range { } : else generation "
    "endgeneration call endcall with endwith filter endfilter block raw endraw \n"
)


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(PIECES.split(" ")), max_size=25).map(" ".join) | st.text(max_size=60)
)
def test_any_text(text: str) -> None:
    with contextlib.suppress(LegacyError):
        jinja.read("{{ " + text + " }}")
    with contextlib.suppress(LegacyError):
        jinja.read(text)
