"""The inventory's tables: an index over store and build records that `rebuild` makes anew."""

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ropewalk.db import Base


class ImageRow(Base):
    """An image of the store, known by digest and platform."""

    __tablename__ = "image"
    __table_args__ = (UniqueConstraint("digest", "platform"), Index("image_line", "repository", "version", "build"))

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str]
    platform: Mapped[str]
    repository: Mapped[str]
    name: Mapped[str] = mapped_column(index=True)
    version: Mapped[str]
    version_key: Mapped[str]
    build: Mapped[int]
    reference: Mapped[str] = mapped_column(index=True)
    generation: Mapped[str]
    codename: Mapped[str]
    view: Mapped[str]
    how: Mapped[str]
    size: Mapped[int]
    made: Mapped[int]
    current: Mapped[bool] = mapped_column(index=True)
    """The newest build of its line (repository and version)."""

    layers: Mapped[list["LayerRow"]] = relationship(
        back_populates="image", cascade="all, delete-orphan", passive_deletes=True, order_by="LayerRow.position"
    )
    installed: Mapped[list["InstalledRow"]] = relationship(
        back_populates="image", cascade="all, delete-orphan", passive_deletes=True
    )


class LayerRow(Base):
    """A layer in an image, and the line that brought it in."""

    __tablename__ = "image_layer"

    image_id: Mapped[int] = mapped_column(ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    diff_id: Mapped[str] = mapped_column(index=True)
    digest: Mapped[str]
    size: Mapped[int]
    owner: Mapped[str]
    kind: Mapped[str]

    image: Mapped[ImageRow] = relationship(back_populates="layers")


class PackageRow(Base):
    """A package at one version: one row, shared by all images that hold it.

    The keys order as dpkg orders versions, so that SQL compares them.
    """

    __tablename__ = "package"
    __table_args__ = (
        UniqueConstraint("name", "version", "architecture", "source", "source_version"),
        Index("package_name", "name", "version_key"),
        Index("package_source", "source", "source_version_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[str]
    version_key: Mapped[str]
    architecture: Mapped[str]
    source: Mapped[str]
    source_version: Mapped[str]
    source_version_key: Mapped[str]


class InstalledRow(Base):
    """A package in an image, and who brought it in."""

    __tablename__ = "installed"

    image_id: Mapped[int] = mapped_column(ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    package_id: Mapped[int] = mapped_column(ForeignKey("package.id"), primary_key=True, index=True)
    owner: Mapped[str]
    diff_id: Mapped[str]

    image: Mapped[ImageRow] = relationship(back_populates="installed")
    package: Mapped[PackageRow] = relationship()
