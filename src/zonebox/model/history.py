"""HISTORY_RECORDS of a VM: one record for each time it was placed or changed while running. Reads no clock."""

from __future__ import annotations

from zonebox.trees import Tree, add_listed, put_listed, vectors


def placed(vm: Tree, host: Tree, now: int, *, with_prolog: bool) -> None:
    """Open a record on a host; the one before it ends."""
    records = vectors(vm["HISTORY_RECORDS"], "HISTORY")
    if records:
        records[-1]["ETIME"] = str(now)
        put_listed(vm["HISTORY_RECORDS"], "HISTORY", records)
    stamp = str(now)
    record = {
        "OID": vm["ID"],
        "SEQ": str(len(records)),
        "HOSTNAME": host["NAME"],
        "HID": host["ID"],
        "CID": host["CLUSTER_ID"],
        "STIME": stamp,
        "ETIME": "0",
        "VM_MAD": host["VM_MAD"],
        "TM_MAD": host["TM_MAD"],
        "DS_ID": "0",
        "PLAN_ID": "-1",
        "ACTION_ID": "0",
        "PSTIME": stamp if with_prolog else "0",
        "PETIME": stamp if with_prolog else "0",
        "RSTIME": stamp,
        "RETIME": "0",
        "ESTIME": "0",
        "EETIME": "0",
        "ACTION": "0",
        "UID": "-1",
        "GID": "-1",
        "REQUEST_ID": "-1",
    }
    add_listed(vm["HISTORY_RECORDS"], "HISTORY", record)


def last(vm: Tree) -> Tree | None:
    """The open record, to change in place."""
    records = vectors(vm["HISTORY_RECORDS"], "HISTORY")
    return records[-1] if records else None


def acted(vm: Tree, action: int, uid: int, gid: int, request_id: int) -> None:
    """Note who ends the record, and how."""
    record = last(vm)
    if record is not None and action:
        record.update(ACTION=str(action), UID=str(uid), GID=str(gid), REQUEST_ID=str(request_id))


def stopped(vm: Tree, now: int) -> None:
    """The VM runs no longer; the record stays open until it leaves the host or starts again."""
    record = last(vm)
    if record is not None:
        record["RETIME"] = str(now)


def left(vm: Tree, now: int) -> None:
    """The VM left its host."""
    record = last(vm)
    if record is not None:
        stamp = str(now)
        record.update(ETIME=stamp, ESTIME=stamp, EETIME=stamp)
        if record["RETIME"] == "0":
            record["RETIME"] = stamp


def host_of(vm: Tree) -> int | None:
    """Id of the host a VM is on, or None."""
    record = last(vm)
    return int(record["HID"]) if record is not None and record["ESTIME"] == "0" else None
