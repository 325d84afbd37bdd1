package blob

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"time"
)

// fault is a refusal. Its body is XML, and its code is in a header too.
type fault struct {
	status        int
	code, message string
}

func (f *fault) body(request string, now time.Time) []byte {
	type answer struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}
	return xmlOf(answer{Code: f.code, Message: fmt.Sprintf("%s\nRequestId:%s\nTime:%s", f.message, request, now.Format("2006-01-02T15:04:05.0000000Z"))})
}

// xmlOf writes a value after the declaration that the service begins with.
func xmlOf(v any) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?>`)
	if err := xml.NewEncoder(&b).Encode(v); err != nil {
		return []byte(`<?xml version="1.0" encoding="utf-8"?><Error><Code>InternalError</Code><Message>simulator: the answer could not be encoded</Message></Error>`)
	}
	return b.Bytes()
}

func invalidHeader(name, value string) *fault {
	return &fault{http.StatusBadRequest, "InvalidHeaderValue", fmt.Sprintf("The value for one of the HTTP headers is not in the correct format: %s: %s", name, value)}
}

func missingHeader(name string) *fault {
	return &fault{http.StatusBadRequest, "MissingRequiredHeader", "An HTTP header that's mandatory for this request is not specified: " + name}
}

func conflict(code, message string) *fault { return &fault{http.StatusConflict, code, message} }

func unmet(code, message string) *fault {
	return &fault{http.StatusPreconditionFailed, code, message}
}

func noBlob() *fault {
	return &fault{http.StatusNotFound, "BlobNotFound", "The specified blob does not exist."}
}
