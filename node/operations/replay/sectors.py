"""Which of the nine sectors a category of the source is sold in, and what its products are called here.

The source has no titles. Ours are the words below with a number; a category that the table does not know, the
empty one included, goes by `DEFAULT`.

    shelf_of("pet_shop") == Shelf("pets", "Pet supplies")
"""

from collections.abc import Mapping
from typing import NamedTuple


class Shelf(NamedTuple):
    """A sector, and the words for a product on it."""

    sector: str
    words: str


DEFAULT = Shelf("residential", "Household goods")

_SHELVES: Mapping[str, Mapping[str, str]] = {
    "food": {
        "alimentos": "Groceries",
        "alimentos_bebidas": "Groceries and drinks",
        "bebidas": "Drinks",
    },
    "fashion": {
        "fashion_bolsas_e_acessorios": "Bags and accessories",
        "fashion_calcados": "Shoes",
        "fashion_esporte": "Sportswear",
        "fashion_roupa_feminina": "Women's clothing",
        "fashion_roupa_masculina": "Men's clothing",
        "fashion_underwear_e_moda_praia": "Underwear and beachwear",
        "malas_acessorios": "Luggage",
        "relogios_presentes": "Watches and gifts",
    },
    "beauty": {
        "beleza_saude": "Health and beauty",
        "perfumaria": "Perfume",
    },
    "pets": {
        "pet_shop": "Pet supplies",
    },
    "family": {
        "artes": "Art supplies",
        "artes_e_artesanato": "Arts and crafts",
        "artigos_de_festas": "Party supplies",
        "bebes": "Baby goods",
        "brinquedos": "Toys",
        "cds_dvds_musicais": "Music on disc",
        "consoles_games": "Consoles and games",
        "cool_stuff": "Gadgets",
        "dvds_blu_ray": "Films on disc",
        "esporte_lazer": "Sports and leisure",
        "fashion_roupa_infanto_juvenil": "Children's clothing",
        "fraldas_higiene": "Diapers and hygiene",
        "instrumentos_musicais": "Musical instruments",
        "livros_importados": "Imported books",
        "livros_interesse_geral": "Books",
        "livros_tecnicos": "Technical books",
        "musica": "Music",
        "papelaria": "Stationery",
    },
    "automotive": {
        "automotivo": "Car parts and care",
    },
    "residential": {
        "artigos_de_natal": "Christmas decoration",
        "audio": "Audio",
        "cama_mesa_banho": "Bed, bath and table",
        "casa_conforto": "Home comfort",
        "casa_conforto_2": "Home comfort",
        "casa_construcao": "Building a home",
        "cine_foto": "Film and photo",
        "climatizacao": "Heating and cooling",
        "construcao_ferramentas_iluminacao": "Lighting",
        "construcao_ferramentas_jardim": "Garden equipment",
        "eletrodomesticos": "Home appliances",
        "eletrodomesticos_2": "Home appliances",
        "eletronicos": "Electronics",
        "eletroportateis": "Small appliances",
        "ferramentas_jardim": "Garden tools",
        "flores": "Flowers",
        "informatica_acessorios": "Computer accessories",
        "la_cuisine": "Kitchenware",
        "moveis_colchao_e_estofado": "Mattresses and upholstery",
        "moveis_cozinha_area_de_servico_jantar_e_jardim": "Kitchen and garden furniture",
        "moveis_decoracao": "Furniture and decoration",
        "moveis_quarto": "Bedroom furniture",
        "moveis_sala": "Living room furniture",
        "pc_gamer": "Gaming computers",
        "pcs": "Computers",
        "portateis_casa_forno_e_cafe": "Ovens and coffee makers",
        "tablets_impressao_imagem": "Tablets and printing",
        "telefonia": "Telephones",
        "telefonia_fixa": "Fixed-line telephones",
        "utilidades_domesticas": "Housewares",
    },
    "assets": {
        "agro_industria_e_comercio": "Farming and trade equipment",
        "construcao_ferramentas_construcao": "Construction tools",
        "construcao_ferramentas_ferramentas": "Tools",
        "construcao_ferramentas_seguranca": "Safety equipment",
        "industria_comercio_e_negocios": "Business equipment",
        "market_place": "Market stalls",
        "moveis_escritorio": "Office furniture",
        "seguros_e_servicos": "Insurance and services",
        "sinalizacao_e_seguranca": "Signs and security",
    },
}

SHELVES: Mapping[str, Shelf] = {
    category: Shelf(sector, words)
    for sector, categories in _SHELVES.items()
    for category, words in categories.items()
}
"""Category of the source -> where it is sold here. Nothing of the source is frozen food."""


def shelf_of(category: str) -> Shelf:
    """Return where a category is sold."""
    return SHELVES.get(category, DEFAULT)
