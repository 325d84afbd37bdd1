package world

import (
	"encoding/base64"
	"encoding/pem"
)

// The certificate of the app signing-service, and its key. They are constants, as everything in the built-in world
// is the same in every release, and good for nothing else.
const signingCertificate = "" +
	"MIICxDCCAaygAwIBAgICEmcwDQYJKoZIhvcNAQELBQAwGjEYMBYGA1UEAxMPc2lnbmluZy1zZXJ2aWNlMCAXDTk5MDkwMTA4MDAw" +
	"MFoYDzIxOTkwOTAxMDgwMDAwWjAaMRgwFgYDVQQDEw9zaWduaW5nLXNlcnZpY2UwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEK" +
	"AoIBAQCl4ZULNS7NJTALVrfQ32ZYiuDdYDvqFWjFh0GIdUT8H7DZAYh2JjGsG8ivNST8GJXOcXMIO4usFBh1IshXeqlJ2DewCpSr" +
	"W6+fN6xCiPx05ID6ec8i8w5upLTUd64wmQwT3hS5qNxWuxBgGSgjaqAfQ0czWlUNAm1ae97cKsX6TWgiEseLzAcyvrcrkEaiYsjX" +
	"iyzPuyMJdGtEOFPhCctK5ADVgWnP31smW8YGkO6Ply31CD+AWhTfgLmXFCqN3jK9jcp0WBtWdK9gPpneYDr88BIK6yU6gsEkl1xt" +
	"DfNXcdNZ5cBPIELpIPrORTsBygWdlO7XFhaMOTbw+TgTZXFzAgMBAAGjEjAQMA4GA1UdDwEB/wQEAwIHgDANBgkqhkiG9w0BAQsF" +
	"AAOCAQEAdVZTgnBuAJOybY3OapMIt5qTchOLdokautuVqtC3OIBcksUMvcwB4aF7Oh0St7/GRx09d60vdVBKef99ZgEJCvhKi/FG" +
	"/cqLb47+Sb6DMZY3W/gUInoDRj2KTpLyy2BlwyphfFTXSEjc5kp2gHwtPiwR5u9CMvl2gyxTk+55Y9jhNh9sS+Gn92S3YO4SIsQj" +
	"sL44y/Wtf2+yXl09kq2RPWTfz/LJ4Lih3mRWsS9N9bWE7KGBHJD+SIgOJji6jCS0jBEOpcfUb9BONPM70Joy3/yGLPU0QJ5LOAuS" +
	"WerNyiuMUkcRwzbMIquQsTQU3y6mhVVxlbCgifAM9xHtebgXmg=="

const signingKey = "" +
	"MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCl4ZULNS7NJTALVrfQ32ZYiuDdYDvqFWjFh0GIdUT8H7DZAYh2" +
	"JjGsG8ivNST8GJXOcXMIO4usFBh1IshXeqlJ2DewCpSrW6+fN6xCiPx05ID6ec8i8w5upLTUd64wmQwT3hS5qNxWuxBgGSgjaqAf" +
	"Q0czWlUNAm1ae97cKsX6TWgiEseLzAcyvrcrkEaiYsjXiyzPuyMJdGtEOFPhCctK5ADVgWnP31smW8YGkO6Ply31CD+AWhTfgLmX" +
	"FCqN3jK9jcp0WBtWdK9gPpneYDr88BIK6yU6gsEkl1xtDfNXcdNZ5cBPIELpIPrORTsBygWdlO7XFhaMOTbw+TgTZXFzAgMBAAEC" +
	"ggEAFdX7G62VipWxnFx+9/TgcRle/mUznd3Rm+bxHnhpa1L0oaxM/ViLw18o7L9vLexClBllDhlgindevNSmULWp4TmgIwFRjrkU" +
	"Bj5644tKyExoGhC8zpn2NWRjFXDnsigDaf4a9lGfJ5+aSTwmh3r6twLRNZZXic3e/UE/FfZfd1JQ+N1HKI16ldQro6lOFIk315W+" +
	"vXIMUw7DDgqJDeL1uHyRRrq4kED1FJ14/WDilsnDcEEvVB7R+zwzXXF6bM+dA4SAb4MhR1qBbliEASlYiFxsw+9jSr94U+PMQME1" +
	"1fYyCGEHRdREAbNbLnALRBw8H8WS1Ds1rXIJASX0lfQI4QKBgQDNQ96v8bmGJ+1nMs8l6JTUDYDvHGqm/H00RbpTDeQ5lVUVz6jg" +
	"5MPgIftOlijHm3Vv6PNvqhvSMM0abaxSJKW01joCRZqGREwVKDSDaFiokMaLECHQFLr3wj7wVi0US4bY7cQeZVvmzSvUxTSnraRJ" +
	"GbcVjqjZk5TAv2dFClpcAwKBgQDO4bKXzLyulUj5kLA4nkmgm/A8mMq4QbG+dolszAZGQ5IhQjQSQG9jtK9aPnf/yxTyLzJ4BYoi" +
	"dFtLE02Oz2rxeyY0Ix8CWNHIKLqjqS15n55hfYbbARSU2ZpD5N0OMaIJ+/2PEv+QmqBXzieU9MoBmLyQ6cO9zCtRZF+oywFx0QKB" +
	"gHTxx/uBwms2cEEtZ2t3mOM/Vkfkbrb4fvS7DS6oaXCNLc6hYtvOOfKGKcFaN52RalT56UejKPqVpyT5ewXJr0baDm6g7Sq12orr" +
	"Pw/m8SwIX7V22WzNgsAJQQZ4cnJvnUIWJHgU00kpd2FfgWJOwZyMNAzqHDTpqgQuiE2DWnu1AoGAckRLBnk5BhzCj8WQ79TNyf4X" +
	"dQDXh2oRqKeERCl0lb6gqeoNJL+eRq335Jp4YTpkOVhEQfKdV2Z5PkBNKEH8SaDBey6i5AL2691DKT46NeEp86MHp1MzcPu3ryRr" +
	"zHkxjN44MJxHuDEPuy/MwQNrx/H6xPe4+84XZv9PrsVh6OECgYAZgjI+tpyYssJ1FlIZt+CP02RRfrObkqD/0y712fOo9svNWrb1" +
	"B//3H9ZOUnbIRpk51C14J1ztvkHKu8WgLXMpVXMgJEKUNRgfYLn3/VJKdHQcsi3gQmzB21EqTVQwVaiiuGHiad+JOFVFRLQ/tHWW" +
	"osm9gac+9kAoW310wfynWQ=="

// signingDER is the certificate alone, as the app shows it.
func signingDER() []byte { return mustBase64(signingCertificate) }

// signingPEM is key and certificate, as the app's owner keeps them. The canary stands where PEM allows any text.
func signingPEM() string {
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: mustBase64(signingKey)})
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signingDER()})
	return "friendlyName: " + Canary + ".signing-service\n" + string(key) + string(certificate)
}

func mustBase64(s string) []byte {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		panic(err) // a constant
	}
	return b
}
