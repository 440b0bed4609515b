"""The HERO model: an integration layer's soft tokens and a language model with LoRA, as one that trains, saves and generates."""

from hero.hero_model.base import Base, open_base
from hero.hero_model.config import Fingerprint, HeroConfig, Lora
from hero.hero_model.feeds import Feeds, feeds_of
from hero.hero_model.files import OpenedIntegration, open_integration
from hero.hero_model.model import HeroModel, HeroOutput
from hero.hero_model.prompt import Prompt

__all__ = [
    "Base",
    "Feeds",
    "Fingerprint",
    "HeroConfig",
    "HeroModel",
    "HeroOutput",
    "Lora",
    "OpenedIntegration",
    "Prompt",
    "feeds_of",
    "open_base",
    "open_integration",
]
