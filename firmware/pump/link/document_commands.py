"""The commands of the link about what the pump trusts: provisioning, people, drug library, firmware image."""

from pump.link.params import param, require_texts


class DocumentCommands:
    """Each method takes the parameters (dict) of a request and returns the result (dict).

    Refused: codes of DocumentLoading and of ImageUpdate.leave_in_pieces.
    """

    def __init__(self, pump):
        self._pump = pump

    def load_provisioning_in_pieces(self, params):
        """Work in pieces: checks a provisioning block and stages it; START held at the pump writes it."""
        hash8 = yield from self._pump.document_loading.load_provisioning_in_pieces(param(params, "block", str))
        return {"hash": hash8}

    def begin(self, params):
        """Begins the transfer of a document of `length` bytes onto a stopped pump."""
        loading = self._pump.document_loading
        loading.need_stopped()
        require_texts(params, ("kind", "sha256", "signature"))
        loading.begin(params["kind"], param(params, "length", int), params["sha256"], params["signature"])
        return {}

    def put(self, params):
        """Takes the next block of the document; returns the number of bytes received."""
        offset, data = param(params, "offset", int), param(params, "data", str)
        return {"filled": self._pump.document_loading.put(offset, data)}

    def commit_in_pieces(self, params):
        """Work in pieces: checks the document and stores it in the vault."""
        kind, number = yield from self._pump.document_loading.commit_in_pieces()
        return {"kind": kind, "number": number}

    def enter_boot_loader_in_pieces(self, params):
        """Work in pieces: checks a signed image manifest; after the answer the pump restarts into its boot loader."""
        yield from self._pump.image_update.leave_in_pieces(
            param(params, "document", str), param(params, "signature", str)
        )
        return {}
