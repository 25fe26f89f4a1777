"""Writes every dashboard's JSON anew: `python -m grafana`, or `make dashboards`."""

from grafana.every import FOLDER, files


def main() -> None:
    """Write the files; one that belongs to no dashboard any more goes."""
    FOLDER.mkdir(exist_ok=True)
    wanted = files()
    for path in FOLDER.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
