"""The local AWS twin: a moto server whose gaps are filled by small extensions of moto's own backends."""
