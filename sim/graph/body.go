package graph

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

func (c *call) holderBody(h holder, withKeys bool) entity {
	if h.principal {
		return principalBody(h, withKeys)
	}
	return applicationBody(h, withKeys)
}

// filterBody has what lists are filtered and sorted by.
func filterBody(h holder) entity {
	a := h.app
	e := entity{"id": h.id(), "appId": a.ClientID, "displayName": a.Name, "signInAudience": a.Audience(), "identifierUris": []string{}}
	if h.principal {
		e["servicePrincipalNames"], e["servicePrincipalType"], e["accountEnabled"] = []string{a.ClientID}, h.principalType(), !a.Disabled
	}
	return e
}

// applicationBody is an application with every property that it has in an answer. A key's public half is there only
// when it is selected of a single object.
func applicationBody(h holder, withKeys bool) entity {
	a := h.app
	return entity{
		"id": a.ID, "appId": a.ClientID, "displayName": a.Name, "createdDateTime": moment(a.Created), "deletedDateTime": moment(a.Deleted),
		"signInAudience": a.Audience(), "isFallbackPublicClient": a.PublicClient,
		"identifierUris": []string{}, "tags": []string{}, "addIns": []any{}, "appRoles": []any{}, "requiredResourceAccess": []any{},
		"applicationTemplateId": nil, "description": nil, "disabledByMicrosoftStatus": nil, "groupMembershipClaims": nil,
		"isDeviceOnlyAuthSupported": nil, "notes": nil, "publisherDomain": nil, "serviceManagementReference": nil,
		"samlMetadataUrl": nil, "defaultRedirectUri": nil, "tokenEncryptionKeyId": nil, "uniqueName": nil,
		"info":                entity{"logoUrl": nil, "marketingUrl": nil, "privacyStatementUrl": nil, "supportUrl": nil, "termsOfServiceUrl": nil},
		"keyCredentials":      keyBodies(*h.keys(), withKeys),
		"passwordCredentials": passwordBodies(*h.secrets()),
		"publicClient":        entity{"redirectUris": list(a.RedirectURIs)},
		"spa":                 entity{"redirectUris": []string{}},
		"web": entity{
			"homePageUrl": nil, "logoutUrl": nil, "redirectUris": []string{},
			"implicitGrantSettings": entity{"enableAccessTokenIssuance": false, "enableIdTokenIssuance": false},
		},
	}
}

func principalBody(h holder, withKeys bool) entity {
	a := h.app
	return entity{
		"id": a.ServicePrincipalID, "appId": a.ClientID, "displayName": a.Name, "appDisplayName": a.Name, "deletedDateTime": moment(a.Deleted),
		"accountEnabled": !a.Disabled, "appOwnerOrganizationId": orNull(a.TenantID), "appRoleAssignmentRequired": false,
		"servicePrincipalType": h.principalType(), "servicePrincipalNames": []string{a.ClientID}, "signInAudience": a.Audience(),
		"alternativeNames": []string{}, "replyUrls": list(a.RedirectURIs), "tags": []string{}, "notificationEmailAddresses": []string{},
		"addIns": []any{}, "appRoles": []any{}, "oauth2PermissionScopes": []any{}, "resourceSpecificApplicationPermissions": []any{},
		"appDescription": nil, "applicationTemplateId": nil, "description": nil, "disabledByMicrosoftStatus": nil, "homepage": nil,
		"loginUrl": nil, "logoutUrl": nil, "notes": nil, "preferredSingleSignOnMode": nil, "preferredTokenSigningKeyThumbprint": nil,
		"tokenEncryptionKeyId": nil,
		"keyCredentials":       keyBodies(*h.keys(), withKeys),
		"passwordCredentials":  passwordBodies(*h.secrets()),
	}
}

func passwordBodies(all []*world.PasswordCredential) []entity {
	out := []entity{}
	for _, p := range all {
		out = append(out, passwordBody(p))
	}
	return out
}

// passwordBody never has the value; the one answer that does adds it.
func passwordBody(p *world.PasswordCredential) entity {
	return entity{
		"customKeyIdentifier": nil, "displayName": orNull(p.Name), "endDateTime": moment(p.End), "hint": orNull(p.Hint),
		"keyId": p.KeyID, "secretText": nil, "startDateTime": moment(p.Start),
	}
}

func keyBodies(all []*world.KeyCredential, withKey bool) []entity {
	out := []entity{}
	for _, k := range all {
		out = append(out, keyBody(k, withKey))
	}
	return out
}

func keyBody(k *world.KeyCredential, withKey bool) entity {
	thumb := sha1.Sum(k.DER)
	e := entity{
		"customKeyIdentifier": strings.ToUpper(hex.EncodeToString(thumb[:])), "displayName": orNull(k.Name), "endDateTime": moment(k.End),
		"key": nil, "keyId": k.KeyID, "startDateTime": moment(k.Start), "type": "AsymmetricX509Cert", "usage": "Verify",
	}
	if withKey {
		e["key"] = base64.StdEncoding.EncodeToString(k.DER)
	}
	return e
}
