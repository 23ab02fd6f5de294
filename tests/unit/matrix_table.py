# SPDX-License-Identifier: GPL-2.0-or-later
"""What the Secure Boot matrix predicts: each artifact of matrix_artifacts.py for each kind of machine, spelled out."""

from __future__ import annotations

from kiban.model.bootcheck import Reason, Report

# + allowed; else who refuses (F firmware, S shim, G GRUB) and why
REASONS: dict[str, Reason] = {
    "u": "unsigned",
    "t": "signer-not-trusted",
    "h": "hash-revoked",
    "c": "certificate-revoked",
    "b": "sbat-revoked",
    "s": "damaged-signature",
    "i": "damaged-image",
    "a": "wrong-architecture",
    "n": "no-loader",
}
TABLE = """
. microsoft-uefi-ca microsoft-windows open-source uefi-2011 uefi-2023 own own-level own-shim-level mok off
unsigned                Fu      Fu  Fu   Fu   Fu   Fu  Fu    Fu   Fu  +
by-hash                 Fu      Fu  Fu   Fu   Fu   +   +     +    Fu  +
own                     Ft      Ft  Ft   Ft   Ft   +   +     +    Ft  +
own-leaf                Ft      Ft  Ft   Ft   Ft   +   +     +    Ft  +
dual                    Ft      Ft  Ft   Ft   Ft   +   +     +    Ft  +
half                    Ft      Ft  Ft   Ft   Ft   +   +     +    Ft  +
stranger                Ft      Ft  Ft   Ft   Ft   Ft  Ft    Ft   Ft  +
lost                    Ft      Ft  Ft   Ft   Ft   Fc  Fc    Fc   Ft  +
body                    Ft      Ft  Ft   Ft   Ft   Fc  Fc    Fc   Ft  +
dual-lost               Ft      Ft  Ft   Ft   Ft   Fc  Fc    Fc   Ft  +
revoked                 Ft      Ft  Ft   Ft   Ft   Fh  Fh    Fh   Ft  +
tampered                Fs      Fs  Fs   Fs   Fs   Fs  Fs    Fs   Fs  +
bad-signature           Fs      Fs  Fs   Fs   Fs   Fs  Fs    Fs   Fs  +
cut-signature           Fi      Fi  Fi   Fi   Fi   Fi  Fi    Fi   Fi  Fi
cut                     Fi      Fi  Fi   Fi   Fi   Fi  Fi    Fi   Fi  Fi
cut-headers             Fi      Fi  Fi   Fi   Fi   Fi  Fi    Fi   Fi  Fi
text                    Fi      Fi  Fi   Fi   Fi   Fi  Fi    Fi   Fi  Fi
driver                  Fn      Fn  Fn   Fn   Fn   Fn  Fn    Fn   Fn  Fn
ia32                    Fa      Fa  Fa   Fa   Fa   Fa  Fa    Fa   Fa  Fa
shim                    Sn      Ft  Ft   Sn   Sn   Sn  Sn    Sb   Sn  Sn
shim-2011               Sn      Ft  Ft   Sn   Ft   Sn  Sn    Sb   Sn  Sn
shim-2023               Sn      Ft  Ft   Ft   Sn   Sn  Sn    Sb   Sn  Sn
shim-stripped           Fu      Fu  Fu   Fu   Fu   Fu  Fu    Fu   Fu  Sn
shim-unsigned           Fu      Fu  Fu   Fu   Fu   Fu  Fu    Fu   Fu  Sn
shim-tampered           Fs      Fs  Fs   Fs   Fs   Fs  Fs    Fs   Fs  Sn
shim-cut                Fi      Fi  Fi   Fi   Fi   Fi  Fi    Fi   Fi  Fi
grub                    Ft      Ft  +    Ft   Ft   Ft  Ft    Ft   Ft  +
grub-stripped           Fu      Fu  Fu   Fu   Fu   Fu  Fu    Fu   Fu  +
ipxe                    Fu      Fu  Fu   Fu   Fu   Fu  Fu    Fu   Fu  +
memtest                 Fu      Fu  Fu   Fu   Fu   Fu  Fu    Fu   Fu  +
kernel                  Ft      Ft  +    Ft   Ft   Ft  Ft    Ft   Ft  +
shim+unsigned           Su      Ft  Ft   Su   Su   Su  Su    Sb   Su  +
shim+own                St      Ft  Ft   St   St   +   Sb    Sb   +   +
shim+stranger           St      Ft  Ft   St   St   St  St    Sb   St  +
shim+lost               St      Ft  Ft   St   St   Sc  Sc    Sb   St  +
shim+dual-lost          St      Ft  Ft   St   St   +   Sb    Sb   +   +
shim+revoked            St      Ft  Ft   St   St   Sh  Sh    Sb   +   +
shim+no-sbat            St      Ft  Ft   St   St   Sb  Sb    Sb   Sb  +
shim+tampered           Ss      Ft  Ft   Ss   Ss   Ss  Ss    Sb   Ss  +
shim+grub               +       Ft  Ft   +    +    +   Sb    Sb   +   +
shim+grub-stripped      Su      Ft  Ft   Su   Su   Su  Su    Sb   Su  +
shim+grub-tampered      Ss      Ft  Ft   Ss   Ss   Ss  Ss    Sb   Ss  +
shim+kernel             +       Ft  Ft   +    +    +   Sb    Sb   +   +
shim+tampered-kernel    Gs      Ft  Ft   Gs   Gs   Gs  Sb    Sb   Gs  +
"""
COLUMNS = TABLE.splitlines()[1].split()[1:]
CELLS = {line.split()[0]: dict(zip(COLUMNS, line.split()[1:], strict=True)) for line in TABLE.splitlines()[2:]}


def cell(report: Report) -> str:
    """A report as the table has it."""
    if report.verdict != "refused":
        return {"allowed": "+"}.get(report.verdict, report.verdict)
    stage = next(one for one in report.stages if one.verdict == "refused")
    assert stage.reason == report.reason
    return stage.loaded_by[0].upper() + next(code for code, reason in REASONS.items() if reason == report.reason)
